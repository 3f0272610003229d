"""What names may look like, so that they can stand in paths, URLs and on a command line."""

from __future__ import annotations

import re

from entrepot.errors import UsageError

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
PATH = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+~-]*(/[A-Za-z0-9][A-Za-z0-9._+~-]*)*")


def check_name(what: str, name: str) -> None:
    """``UsageError`` for what cannot be the name of a source or a repository."""
    if not NAME.fullmatch(name):
        raise UsageError(
            f"{name!r} is no name for a {what}", hint="letters, digits, dots, dashes and underscores; at most 100"
        )


def check_path(what: str, name: str) -> None:
    """``UsageError`` for what cannot be a distribution, component or architecture; those may have slashes."""
    if len(name) > 200 or not PATH.fullmatch(name):
        raise UsageError(
            f"{name!r} is no name for a {what}", hint="letters, digits and . _ - + ~, in parts between slashes"
        )
