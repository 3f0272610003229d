"""Licences out of a package's copyright file, where a program can read it (DEP-5, "copyright-format 1.0")."""

from __future__ import annotations

import re

LONGEST_COPYRIGHT = 1 << 20
"""Bytes; a longer one is not read."""
LONGEST_EXPRESSION = 2000
_FORMAT = re.compile(rb"^format(?:-specification)?[ \t]*:.*(?:copyright-format|dep-?5)", re.IGNORECASE | re.MULTILINE)
_LICENCE = re.compile(rb"^licen[sc]e[ \t]*:[ \t]*([^\r\n]*)", re.IGNORECASE | re.MULTILINE)
_OTHERS = "and others"


def copyright_path(package: str) -> bytes:
    """Where a package has its copyright file, as a member of ``data.tar``."""
    return f"usr/share/doc/{package}/copyright".encode()


def licence_expression(text: bytes) -> str:
    """The distinct short names of a copyright file joined by ``and``; empty for one that only people can read.

    What makes the expression longer than ``LONGEST_EXPRESSION`` characters is left out, and then ends ``and others``.
    """
    if not _FORMAT.search(text.lstrip().partition(b"\n\n")[0]):
        return ""
    names: dict[str, None] = {}
    length = 0
    for match in _LICENCE.finditer(text):
        name = " ".join(match[1].decode("utf-8", "replace").split())
        if not name or name in names:
            continue
        length += len(name) + len(" and ()")
        if length > LONGEST_EXPRESSION:
            return f"{_join(list(names))} {_OTHERS}".strip()
        names[name] = None
    return _join(list(names))


def _join(names: list[str]) -> str:
    if len(names) == 1:
        return names[0]
    return " and ".join(f"({name})" if re.search(r" or ", name, re.IGNORECASE) else name for name in names)
