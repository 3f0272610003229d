"""Everything that the index says of one package, as a person reads it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from .documents import local_name, parse
from .entry import CONTROL
from .raw import unpack
from .version import evr

_RELATIONS = {"EQ": "=", "LT": "<", "GT": ">", "LE": "<=", "GE": ">="}


def fields(raw: bytes) -> list[tuple[str, str]]:
    """Everything that the three documents say of a package, in their order: names of elements and text."""
    found: list[tuple[str, str]] = []
    for kind, element in zip(("primary", "filelists", "other"), unpack(raw), strict=True):
        if element:
            wrapped = b'<m xmlns:rpm="http://linux.duke.edu/metadata/rpm">%b</m>' % element
            root = parse(wrapped, name="the entry", root="m")
            for package in root:
                found += _of_primary(package) if kind == "primary" else _of_others(package, kind)
    return [(name, text.translate(CONTROL)) for name, text in found]


def _of_primary(package: Any) -> Iterator[tuple[str, str]]:
    paths = []
    for child in package:
        name = local_name(child)
        if name != "format":
            yield name, _read(child)
            continue
        for item in child:
            if local_name(item) == "file":
                paths.append((item.text or "").strip())
            elif len(item):
                yield local_name(item), "\n".join(_relation(entry) for entry in item)
            else:
                yield local_name(item), _read(item)
    if paths:
        yield "file", "\n".join(paths)


def _of_others(package: Any, kind: str) -> Iterator[tuple[str, str]]:
    if kind == "filelists":
        paths = [
            (item.text or "").strip() + ("/" if item.get("type") == "dir" else "")
            for item in package
            if local_name(item) == "file"
        ]
        if paths:
            yield "files", "\n".join(paths)
        return
    for item in package:
        if local_name(item) == "changelog":
            yield "changelog", f"{item.get('author', '')} ({item.get('date', '')})\n{(item.text or '').strip()}"


def _read(element: Any) -> str:
    """Its text, or its attributes where it has none."""
    text = (element.text or "").strip()
    attributes = ", ".join(f"{name.rpartition('}')[2]}={value}" for name, value in element.attrib.items())
    if local_name(element) == "version":
        return evr(re.sub(r"\D", "", element.get("epoch", "")), element.get("ver", ""), element.get("rel", ""))
    if local_name(element) == "checksum":
        return f"{element.get('type', '')}:{text}"
    return text or attributes


def _relation(entry: Any) -> str:
    """``name >= 1.0-1`` as rpm writes it, with ``(pre)`` where it has to be there before installation."""
    text = str(entry.get("name", ""))
    operator = _RELATIONS.get(entry.get("flags", ""))
    if operator:
        epoch = entry.get("epoch", "0")
        version = "-".join(part for part in (entry.get("ver", ""), entry.get("rel", "")) if part)
        text += f" {operator} {epoch + ':' if epoch not in ('', '0') else ''}{version}"
    return f"{text} (pre)" if entry.get("pre") == "1" else text
