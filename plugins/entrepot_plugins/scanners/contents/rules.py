"""What is found: every id with what it means. The ids are part of settings, waivers and reports."""

from __future__ import annotations

from typing import NamedTuple

RULES_VERSION = "1"
"""Raised whenever the rules say something else of the same package."""

RULES = {
    "set-user-id": "a program that runs with the rights of its owner",
    "set-group-id": "a program that runs with the rights of its group",
    "file-capabilities": "a program that has capabilities of the superuser",
    "device-node": "a device, or a named pipe or socket",
    "world-writable": "a file or folder that everybody may change",
    "symlink-absolute": "a symbolic link with an absolute target below the same top folder",
    "symlink-escapes": "a symbolic link that leads out of the root",
    "symlink-unusual": "a symbolic link to where everybody may write, or to what is no file of a package",
    "unusual-place": "a file outside of the tree that packages own",
    "runs-by-itself": "a file that the system runs or loads without being asked",
    "grants-access": "a file that says who may do what",
    "adds-trust": "a file that adds a source of packages, or a key that is trusted",
    "odd-name": "a name that does not look like what it is",
    "script-fetches": "a script that fetches something from the network",
    "script-adds-trust": "a script that adds a source of packages, or a key that is trusted",
    "script-pipes-to-shell": "a script that runs what a command answers",
    "script-decodes": "a script that runs what it decodes",
    "script-adds-superuser": "a script that makes a user with the rights of root",
    "script-sets-id": "a script that lets a program run with the rights of its owner or group",
    "script-sets-capabilities": "a script that gives a program capabilities of the superuser",
    "script-grants-access": "a script that changes who may do what",
    "script-changes-others": "a script that changes programs which the package does not have",
    "script-unreadable": "a script that could not be looked at",
}


class Hit(NamedTuple):
    """One thing that was found: id of the rule, severity, a sentence."""

    rule: str
    severity: str
    summary: str
