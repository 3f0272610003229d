"""modules.yaml: the streams of modules, their defaults, obsoletes and translations.

The file is a stream of YAML documents, which are kept as text. Of each only some values are needed, and those are read
by their place in it: a YAML library would take the stream ``2.10`` for the number 2.1. What libmodulemd writes is block
style with two blanks; lists in brackets are read, too.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from entrepot.errors import IndexFormatError
from entrepot.models import SOURCE_ARCHITECTURE, Extra, PackageRef

from .version import evr

DOCUMENT_LIMIT = 8 << 20
"""Bytes of one document; real ones have some hundred thousand."""
KINDS = {
    "modulemd": "stream",
    "modulemd-stream": "stream",
    "modulemd-defaults": "defaults",
    "modulemd-obsoletes": "obsoletes",
    "modulemd-translations": "translations",
}
_KEY = re.compile(r"""( *)("[^"]*"|'[^']*'|[^\s#:'"\[{&*!|>-][^:]*?)\s*:(?:\s+(.*))?$""")
_ITEM = re.compile(r"( *)- +(.*)$")
_BLOCK = re.compile(r"[|>][+-]?[0-9]?[+-]?\s*(?:#.*)?")
_NEVRA = re.compile(
    r"(?P<name>.+)-(?:(?P<epoch>[0-9]{1,10}):)?(?P<version>[^-:]+)-(?P<release>[^-]+)\.(?P<arch>[A-Za-z0-9_]+)"
)


@dataclass
class Document:
    """The values that are looked for, by their path (``data.artifacts.rpms``): texts and lists of texts."""

    texts: dict[str, str] = field(default_factory=dict)
    lists: dict[str, list[str]] = field(default_factory=dict)

    def text(self, path: str) -> str:
        """A text; empty if there is none."""
        return self.texts.get(path, "")


def modules(open_: Callable[[], Iterator[bytes]], *, name: str) -> Iterator[Extra]:
    """One extra for each document. Those that are not of a stream are about the packages of all streams of the module,
    and come last.
    """
    names: dict[str, dict[str, None]] = {}
    later: list[tuple[str, Document, bytes]] = []
    for raw in documents(open_(), name=name):
        document = parse(raw)
        kind = KINDS.get(document.text("document"), "")
        if not kind:
            raise IndexFormatError(
                f"{name} has a document of the unknown kind {document.text('document')[:60]!r}, which starts with "
                f"{raw[:60]!r}",
                file=name,
            )
        if kind != "stream":
            later.append((kind, document, raw))
            continue
        packages = tuple(_packages(document))
        names.setdefault(document.text("data.name"), {}).update(dict.fromkeys(ref.name for ref in packages))
        yield _stream(document, raw, packages, name)
    for kind, document, raw in later:
        module = document.text("data.module")
        if not module:
            raise IndexFormatError(f"{name} has {kind} of a module without a name", file=name)
        stream = document.text("data.stream")
        data = {"document": kind, "name": module, "stream": stream, "modified": document.text("data.modified")}
        title = f"{kind} of {module}" + (f":{stream}" if stream and kind != "defaults" else "")
        label = module if kind == "defaults" else f"{module}:{stream}:{kind}"
        yield Extra("module", label, title, data, raw, tuple(map(PackageRef, names.get(module, ()))))


def documents(chunks: Iterator[bytes], *, name: str) -> Iterator[bytes]:
    """The documents of a stream as text, each with its start and without its end; empty ones are left out."""
    held: list[bytes] = []
    size = 0
    for line in _lines(chunks, name):
        mark = line.rstrip()
        if mark in (b"---", b"...") or line.startswith((b"--- ", b"%")):
            if b"".join(held).strip():
                yield b"---\n" + b"".join(held)
            held, size = [], 0
            continue
        held.append(line)
        size += len(line)
        if size > DOCUMENT_LIMIT:
            raise IndexFormatError(f"{name} has a document of more than {DOCUMENT_LIMIT} bytes", file=name)
    if b"".join(held).strip():
        yield b"---\n" + b"".join(held)


def _lines(chunks: Iterator[bytes], name: str) -> Iterator[bytes]:
    rest = b""
    for chunk in chunks:
        data = rest + chunk
        if b"\0" in chunk:
            raise IndexFormatError(f"{name} is no text", file=name)
        *whole, rest = data.replace(b"\r\n", b"\n").split(b"\n")
        if len(rest) > DOCUMENT_LIMIT:
            raise IndexFormatError(f"{name} has a line of more than {DOCUMENT_LIMIT} bytes", file=name)
        for line in whole:
            yield line + b"\n"
    if rest:
        yield rest + b"\n"


def parse(raw: bytes) -> Document:
    """The texts and lists of a document. What is in anchors, tags and flow mappings is not found."""
    found = Document()
    path: list[tuple[int, str]] = []
    block = -1
    for line in raw.decode("utf-8", "replace").splitlines():
        if not line.strip() or line.lstrip().startswith("#") or line == "---":
            continue
        indent = len(line) - len(line.lstrip(" "))
        if block >= 0 and indent > block:
            continue  # text of a block scalar
        block = -1
        if item := _ITEM.match(line):
            path = [step for step in path if step[0] <= indent]
            found.lists.setdefault(_name(path), []).append(_scalar(item[2]))
        elif key := _KEY.match(line):
            path = [*(step for step in path if step[0] < indent), (indent, _scalar(key[2]))]
            value = (key[3] or "").strip()
            if _BLOCK.fullmatch(value):
                block = indent
            elif value.startswith("["):
                found.lists[_name(path)] = [_scalar(text) for text in value.strip("[] ").split(",") if text.strip()]
            elif value:
                found.texts.setdefault(_name(path), _scalar(value))
    return found


def _name(path: list[tuple[int, str]]) -> str:
    return ".".join(step[1] for step in path)


def _scalar(text: str) -> str:
    """The text of a scalar: quotes and comments taken off, never a number or a truth value."""
    text = text.strip()
    if text[:1] == '"':
        end = text.find('"', 1)
        return text[1:end].replace("\\\\", "\\") if end > 0 else text
    if text[:1] == "'":
        match = re.match(r"'((?:[^']|'')*)'", text)
        return match[1].replace("''", "'") if match else text
    return re.sub(r"\s+#.*$", "", text)


def _stream(document: Document, raw: bytes, packages: tuple[PackageRef, ...], name: str) -> Extra:
    values = {key: document.text(f"data.{key}") for key in ("name", "stream", "version", "context", "arch")}
    if not values["name"]:
        raise IndexFormatError(f"{name} has a module without a name", file=name)
    data: dict[str, Any] = {
        "document": "stream",
        **values,
        "static_context": document.text("data.static_context").lower() == "true",
        "description": document.text("data.summary"),
        "profiles": sorted(
            {path.split(".")[2] for path in (*document.texts, *document.lists) if path.startswith("data.profiles.")}
        ),
    }
    label = ":".join(values.values()).rstrip(":")
    return Extra("module", label, document.text("data.summary") or label, data, raw, packages)


def _packages(document: Document) -> Iterator[PackageRef]:
    for text in dict.fromkeys(document.lists.get("data.artifacts.rpms", ())):
        if match := _NEVRA.fullmatch(text):
            name, epoch, version, release, architecture = match.groups()
            if architecture in ("src", "nosrc"):
                architecture = SOURCE_ARCHITECTURE
            yield PackageRef(name, evr(epoch, version, release), architecture)
