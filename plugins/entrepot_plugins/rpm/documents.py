"""XML from outside, parsed as if whoever wrote it were an enemy: no entities, no network, bounded memory.

Only the bytes of a document and its name come in; what is wrong with it is an ``IndexFormatError`` that has the name.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from entrepot.errors import IndexFormatError

from .library import library

ELEMENT_LIMIT = 64 << 20
"""Bytes of one package, advisory or group. The largest real ones (documentation with a hundred thousand files) have 20
MB in filelists."""


def parse(content: bytes, *, name: str, root: str) -> Any:
    """The root element of a small document; ``IndexFormatError`` unless it is well-formed and its root is ``root``."""
    etree = library("lxml.etree")
    parser = etree.XMLParser(**_safely())
    try:
        element = etree.fromstring(content, parser)
    except etree.XMLSyntaxError as error:
        raise malformed(name, content, error) from error
    if element is None:
        raise malformed(name, content, "it is empty")
    _check_root(element, content, name, root)
    return element


def elements(chunks: Iterable[bytes], *, name: str, root: str, wanted: frozenset[str] | None = None) -> Iterator[Any]:
    """The children of a document's root, one after the other, as it arrives; the first thing is the root itself.

    ``wanted`` are the local names of those that are handed over; all of them if it is None. A child is gone when the
    next one is asked for.
    """
    etree = library("lxml.etree")
    parser = etree.XMLPullParser(events=("start", "end"), **_safely())
    depth = pending = 0
    start = b""
    try:
        for chunk in chunks:
            start = start or chunk[:200]
            pending += len(chunk)
            parser.feed(chunk)
            for event, element in parser.read_events():
                if event == "start":
                    depth += 1
                    if depth == 1:
                        _check_root(element, start, name, root)
                        yield element
                    continue
                depth -= 1
                if depth == 1:
                    pending = 0
                    if wanted is None or local_name(element) in wanted:
                        _refuse_entities(etree, element, name)
                        yield element
                    _forget(element)
            if pending > ELEMENT_LIMIT + len(chunk):
                raise IndexFormatError(f"{name} has an element of more than {ELEMENT_LIMIT} bytes", file=name)
        parser.close()
    except etree.XMLSyntaxError as error:
        raise malformed(name, start, error) from error


def local_name(element: Any) -> str:
    """The name of an element without its namespace; empty for what is no element."""
    tag = element.tag
    return tag.rpartition("}")[2] if isinstance(tag, str) else ""


def child_text(element: Any, name: str) -> str:
    """The text of the first child of this local name, without blanks around it; empty if there is none."""
    for child in element:
        if local_name(child) == name:
            return (child.text or "").strip()
    return ""


def malformed(name: str, start: bytes, why: object) -> IndexFormatError:
    """The error for a document that is none."""
    excerpt = repr(start[:60])[1:]
    hint = "a proxy, a login page or a wrong URL may have answered instead of the repository"
    looks_wrong = b"<html" in start[:200].lower() or not start.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<")
    return IndexFormatError(
        f"{name} is malformed: {why} (it starts with {excerpt})", hint=hint if looks_wrong else "", file=name
    )


def _safely() -> dict[str, Any]:
    return {
        "resolve_entities": False,
        "no_network": True,
        "load_dtd": False,
        "dtd_validation": False,
        "huge_tree": False,
        "remove_comments": True,
        "remove_pis": True,
        "collect_ids": False,
    }


def _check_root(element: Any, start: bytes, name: str, root: str) -> None:
    if local_name(element) != root:
        raise malformed(name, start, f"its root is <{local_name(element)}>, not <{root}>")
    dtd = element.getroottree().docinfo.internalDTD
    # comps files name a DTD, which is not looked at; entities of their own have none of them.
    if dtd is not None and next(dtd.iterentities(), None) is not None:
        raise IndexFormatError(f"{name} declares entities, which no index of a repository has", file=name)


def _refuse_entities(etree: Any, element: Any, name: str) -> None:
    for reference in element.iter(etree.Entity):
        raise IndexFormatError(f"{name} uses the entity {reference.text}, which it does not have", file=name)


def _forget(element: Any) -> None:
    # What follows may be in the tree already: the parser is a chunk ahead of its events.
    parent = element.getparent()
    element.clear()
    while element.getprevious() is not None:
        del parent[0]
