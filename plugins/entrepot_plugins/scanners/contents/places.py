"""What is unusual about one member of a package: its rights, its kind, its place, its name, where it points to."""

from __future__ import annotations

import posixpath
import re
import stat
import unicodedata
from collections.abc import Iterator

from entrepot.models import Content, ContentKind
from entrepot_plugins.scanners.contents.rules import Hit

USUAL = frozenset(["bin", "boot", "etc", "lib", "lib32", "lib64", "libx32", "libo32", "opt", "sbin", "usr", "var"])
"""Folders of the root (FHS 3.0) that packages own files in."""
_NOT_THERE = ("usr/local", "var/tmp", "var/run", "var/lock")
"""Folders below them that belong to whoever runs the machine, or are lost when it starts."""
_WRITABLE_OR_NONE = ("tmp", "var/tmp", "home", "root", "proc", "sys", "dev", "mnt", "media", "run/user", "dev/shm")
_HARMLESS_TARGETS = frozenset({"/dev/null"})
"""What a service is masked with."""
_NODES = frozenset({ContentKind.CHARACTER_DEVICE, ContentKind.BLOCK_DEVICE, ContentKind.FIFO, ContentKind.SOCKET})
_ACCESS = re.compile(
    r"etc/(sudoers(\.d/.+)?|pam\.d/.+|polkit-1/.+\.(rules|pkla)|security/.+\.conf|doas\.conf|passwd|shadow|group|gshadow)"
    r"|(usr/)?share/polkit-1/rules\.d/.+|(root|home/[^/]+)/\.ssh/.+|.*/authorized_keys2?"
)
_TRUST = re.compile(
    r"etc/apt/(sources\.list(\.d/.+)?|trusted\.gpg(\.d/.+)?|keyrings/.+|auth\.conf(\.d/.+)?|apt\.conf\.d/.+)"
    r"|etc/(yum\.repos\.d|dnf/repos\.d|zypp/repos\.d|pki/rpm-gpg|pki/ca-trust/source)/.+|(usr/)?share/keyrings/.+"
    r"|usr/share/(ca-certificates|pki/ca-trust-source)/.+|(usr/)?local/share/ca-certificates/.+"
)
_RUNS = re.compile(
    r"etc/(cron(tab|\.[a-z]+/.+)|anacrontab|ld\.so\.preload|ld\.so\.conf\.d/.+|profile(\.d/.+)?|bash\.bashrc|bashrc"
    r"|environment(\.d/.+)?|zsh/.+|rc\.local|rc[0-6S]?\.d/.+|systemd/(system|user)/.+|xdg/autostart/.+|udev/rules\.d/.+"
    r"|modules-load\.d/.+|modprobe\.d/.+|init/.+|inittab|network/if-[a-z-]+\.d/.+|NetworkManager/dispatcher\.d/.+"
    r"|kernel/(pre|post)(inst|rm)\.d/.+|update-motd\.d/.+|binfmt\.d/.+)"
    r"|var/spool/cron/.+|(usr/)?lib/udev/rules\.d/.+|(usr/)?lib/systemd/system-generators/.+"
)
_GRAVE = re.compile(r"etc/(ld\.so\.preload|sudoers|passwd|shadow|gshadow)|.*\.ssh/.+|.*/authorized_keys2?")
_INVISIBLE = frozenset({"Cc", "Cf", "Zl", "Zp"})


def unusual(content: Content) -> Iterator[Hit]:
    """What is found about a member that is installed."""
    yield from _name(content.path)
    path = _normal(content.path)
    if not path:
        return
    yield from _rights(content)
    yield from _place(path, content)
    if content.kind is ContentKind.SYMBOLIC_LINK:
        yield from _link(path, content.target)


def odd_name(content: Content) -> Iterator[Hit]:
    """What is found about the name of a member that is not installed."""
    yield from _name(content.path)


def _normal(path: str) -> str:
    return "/".join(part for part in path.split("/") if part not in ("", "."))


def _rights(content: Content) -> Iterator[Hit]:
    kind, mode = content.kind, content.mode
    if kind in _NODES:
        severity = "high" if kind in (ContentKind.CHARACTER_DEVICE, ContentKind.BLOCK_DEVICE) else "medium"
        yield Hit("device-node", severity, f"it is a {kind.value.replace('_', ' ')}")
        return
    if kind in (ContentKind.FILE, ContentKind.HARD_LINK):
        if mode & stat.S_ISUID:
            owner = content.owner or "root"
            severity = "high" if owner in ("root", "0") else "medium"
            yield Hit("set-user-id", severity, f"whoever runs it has the rights of user {owner} (mode {mode:04o})")
        if mode & stat.S_ISGID:
            group = content.group or "root"
            severity = "high" if group in ("root", "0") else "medium"
            yield Hit("set-group-id", severity, f"whoever runs it has the rights of group {group} (mode {mode:04o})")
    if content.capabilities.strip(" ="):
        yield Hit("file-capabilities", "high", f"whoever runs it has {content.capabilities[:200]}")
    if kind is not ContentKind.SYMBOLIC_LINK and mode & stat.S_IWOTH:
        if kind is ContentKind.FOLDER and mode & stat.S_ISVTX:
            return
        what = "folder without the sticky bit" if kind is ContentKind.FOLDER else "file"
        yield Hit("world-writable", "high", f"everybody may change this {what} (mode {mode:04o})")


def _place(path: str, content: Content) -> Iterator[Hit]:
    top = path.partition("/")[0]
    if top not in USUAL or path.startswith(tuple(f"{place}/" for place in _NOT_THERE)) or path in _NOT_THERE:
        yield Hit("unusual-place", "medium", "packages own nothing there")
    if content.kind is ContentKind.FOLDER:
        return
    severity = "high" if _GRAVE.fullmatch(path) else "medium"
    if _ACCESS.fullmatch(path):
        yield Hit("grants-access", severity, "it says who may do what")
    elif _TRUST.fullmatch(path):
        yield Hit("adds-trust", severity, "it adds a source of packages, or a key that is trusted")
    elif _RUNS.fullmatch(path):
        yield Hit("runs-by-itself", severity, "the system runs or loads it without being asked")


def _link(path: str, target: str) -> Iterator[Hit]:
    if target in _HARMLESS_TARGETS:
        return
    absolute = target.startswith("/")
    joined = target if absolute else f"{posixpath.dirname(path)}/{target}"
    depth = 0
    parts: list[str] = []
    for part in joined.split("/"):
        if part == "..":
            depth -= 1
            parts = parts[:-1]
        elif part not in ("", "."):
            depth += 1
            parts.append(part)
        if depth < 0:
            yield Hit("symlink-escapes", "high", f"it points out of the root, to {target}")
            return
    meant = "/".join(parts)
    if any(meant == place or meant.startswith(f"{place}/") for place in _WRITABLE_OR_NONE):
        yield Hit("symlink-unusual", "medium", f"it points to {target}")
    elif absolute and parts[:1] == path.split("/")[:1]:
        # Into another top folder it has to be absolute (Debian policy, 10.5).
        yield Hit("symlink-absolute", "low", f"it points to {target}, wherever the package is unpacked")


def _name(path: str) -> Iterator[Hit]:
    if path.isascii() and path.isprintable() and " /" not in path and path[-1:] != " ":
        return
    kinds = {unicodedata.category(char) for char in path}
    if kinds & _INVISIBLE:
        yield Hit("odd-name", "high", "its name has characters that control how text is shown, or cannot be seen")
    elif "Cs" in kinds:
        yield Hit("odd-name", "low", "its name is not UTF-8")
    elif " /" in path or path.endswith(" "):
        yield Hit("odd-name", "medium", "its name ends with a blank")
    elif any(_mixes(part) for part in re.split(r"[/ ._-]", path)):
        yield Hit("odd-name", "medium", "its name mixes letters of several scripts that look alike")


def _mixes(word: str) -> bool:
    """Whether Latin letters stand beside Greek or Cyrillic ones, in one word."""
    if word.isascii():
        return False
    scripts = {unicodedata.name(char, "").partition(" ")[0] for char in word if char.isalpha()}
    return "LATIN" in scripts and bool(scripts & {"CYRILLIC", "GREEK"})
