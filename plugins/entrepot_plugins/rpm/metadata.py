"""What repodata says besides packages: advisories (updateinfo) and groups (comps), each streamed.

An advisory or a group becomes an ``Extra`` with its element as it came. The formats are those that yum defined, and on
which Bodhi, createrepo_c, libcomps and dnf agree.
"""

from __future__ import annotations

import datetime as dt
import re
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

from entrepot.errors import IndexFormatError
from entrepot.models import SOURCE_ARCHITECTURE, Extra, PackageRef

from . import documents
from .documents import child_text, local_name
from .library import library
from .version import evr

COMPS_LIMIT = 24 << 20
"""Bytes of comps, whose groups are remembered; the largest real ones, with all translations, have 6 MB."""
UNNAMED = "unnamed"
"""What an advisory is called that has neither an id nor a title."""
_ID = re.compile(rb"<id>\s*([^<]*?)\s*</id>")
_ID_LIMIT = 1 << 10
_CVE = re.compile(r"CVE-[0-9]{4}-[0-9]{4,}")
_LANGUAGE = "{http://www.w3.org/XML/1998/namespace}lang"
_YES = frozenset(("true", "1", "yes"))

Open = Callable[[], Iterator[bytes]]


# ----------------------------------------------------------------------------------------------------- updateinfo


def advisories(open_: Open, *, name: str) -> Iterator[Extra]:
    """The advisories of updateinfo. Those of one id are one: their collections and references are put together.

    The document is read twice, so that only the repeated ones are ever held.
    """
    repeated = _repeated_ids(open_())
    held: dict[str, Any] = {}
    etree = library("lxml.etree")
    stream = documents.elements(open_(), name=name, root="updates", wanted=frozenset(("update",)))
    next(stream)
    for element in stream:
        id_ = child_text(element, "id")
        if id_ not in repeated or not id_:
            yield _advisory(etree, element, id_ or child_text(element, "title") or UNNAMED)
        elif id_ in held:
            _merge(etree, held[id_], element)
        else:
            held[id_] = etree.fromstring(etree.tostring(element, with_tail=False))
    for id_, element in held.items():
        yield _advisory(etree, element, id_)


def _repeated_ids(chunks: Iterator[bytes]) -> frozenset[str]:
    counts: Counter[bytes] = Counter()
    rest = b""
    for chunk in chunks:
        data = rest + chunk
        end = 0
        for match in _ID.finditer(data):
            counts[match[1]] += 1
            end = match.end()
        rest = data[max(end, len(data) - _ID_LIMIT) :]
    return frozenset(id_.decode("utf-8", "replace") for id_, count in counts.items() if count > 1)


def _merge(etree: Any, held: Any, element: Any) -> None:
    """Adds to an advisory the collections and references of another of the same id that it does not have yet."""
    for parent_name, child_name in (("pkglist", "collection"), ("references", "reference")):
        parent = next((child for child in held if local_name(child) == parent_name), None)
        known = {_canonical(etree, child) for child in parent} if parent is not None else set()
        for other in element:
            if local_name(other) != parent_name:
                continue
            for child in list(other):
                if local_name(child) == child_name and (text := _canonical(etree, child)) not in known:
                    known.add(text)
                    if parent is None:
                        parent = etree.SubElement(held, other.tag)
                    parent.append(child)


def _canonical(etree: Any, element: Any) -> bytes:
    """The same for elements that differ in nothing but blanks between them."""
    text: bytes = etree.tostring(element, method="c14n", with_tail=False)
    return re.sub(rb">\s+<", b"><", text)


def _advisory(etree: Any, element: Any, id_: str) -> Extra:
    references = [
        {key: reference.get(key, "") for key in ("type", "id", "href", "title")}
        for reference in element.iterfind("{*}references/{*}reference")
    ]
    cves = dict.fromkeys(
        cve for reference in references for key in ("id", "title", "href") for cve in _CVE.findall(reference[key])
    )
    modules = [
        ":".join(item.get(key, "") for key in ("name", "stream", "version", "context", "arch"))
        for item in element.iterfind("{*}pkglist/{*}collection/{*}module")
    ]
    reboot = any((item.text or "").strip().lower() in ("", *_YES) for item in element.iter("{*}reboot_suggested"))
    data = {
        "type": element.get("type", ""),
        "status": element.get("status", ""),
        "severity": child_text(element, "severity"),
        "issued": _date(element, "issued"),
        "updated": _date(element, "updated"),
        "release": child_text(element, "release"),
        "description": child_text(element, "description") or child_text(element, "summary"),
        "solution": child_text(element, "solution"),
        "cves": list(cves),
        "references": references,
        "modules": modules,
        "reboot_suggested": reboot,
    }
    packages = dict.fromkeys(map(_package, element.iterfind("{*}pkglist/{*}collection/{*}package")))
    title = child_text(element, "title") or id_
    return Extra("advisory", id_, title, data, _raw(etree, element), tuple(ref for ref in packages if ref.name))


def _package(element: Any) -> PackageRef:
    architecture = element.get("arch", "")
    epoch = element.get("epoch", "")
    version, release = element.get("version", ""), element.get("release", "")
    text = evr(epoch if re.fullmatch("[0-9]{1,10}", epoch) else 0, version, release) if version else ""
    return PackageRef(
        element.get("name", ""), text, SOURCE_ARCHITECTURE if architecture in ("src", "nosrc") else architecture
    )


def _date(element: Any, name: str) -> str:
    """A date in ISO 8601, UTC; empty for one that is missing, empty or nonsense. Unix times are in use, too."""
    found = next((child for child in element if local_name(child) == name), None)
    text = (found.get("date", "") if found is not None else "").strip().removesuffix("UTC").strip()
    try:
        if re.fullmatch("[0-9]{5,11}", text):
            moment = dt.datetime.fromtimestamp(int(text), dt.UTC)
        else:
            moment = dt.datetime.fromisoformat(text)
            moment = moment.replace(tzinfo=dt.UTC) if moment.tzinfo is None else moment.astimezone(dt.UTC)
    except (ValueError, OverflowError, OSError):
        return ""
    return moment.isoformat()


# ---------------------------------------------------------------------------------------------------------- comps


def comps(open_: Open, *, name: str) -> Iterator[Extra]:
    """Groups, environments, categories and language packs of comps.

    An environment or category is about the packages of its groups. Those come last, wherever they stand, because groups
    may follow them.
    """
    etree = library("lxml.etree")
    wanted = frozenset(("group", "environment", "category", "langpacks"))
    stream = documents.elements(_limited(open_(), name), name=name, root="comps", wanted=wanted)
    next(stream)
    groups: dict[str, tuple[PackageRef, ...]] = {}
    later: list[tuple[str, str, str, dict[str, Any], bytes]] = []
    for element in stream:
        kind = local_name(element)
        raw = _raw(etree, element)
        if kind == "langpacks":
            matches = [dict(match.attrib) for match in element if local_name(match) == "match"]
            yield Extra(kind, kind, "Language packs", {"match": matches}, raw)
            continue
        id_ = child_text(element, "id")
        if not id_:
            raise IndexFormatError(f"{name} has a {kind} without an id", file=name)
        title = _untranslated(element, "name") or id_
        if kind == "group":
            extra = _group(element, id_, title, raw)
            groups[id_] = tuple(dict.fromkeys((*groups.get(id_, ()), *extra.packages)))
            yield extra
        else:
            later.append((kind, id_, title, _members(element), raw))
    for kind, id_, title, data, raw in later:
        packages = dict.fromkeys(ref for group in (*data["groups"], *data["options"]) for ref in groups.get(group, ()))
        yield Extra(kind, id_, title, data, raw, tuple(packages))


def _group(element: Any, id_: str, title: str, raw: bytes) -> Extra:
    required: dict[str, list[str]] = {}
    for item in element.iterfind("{*}packagelist/{*}packagereq"):
        if text := (item.text or "").strip():
            required.setdefault(item.get("type", "mandatory"), []).append(text)
    data = {
        "description": _untranslated(element, "description"),
        "default": child_text(element, "default").lower() in _YES,
        "visible": (child_text(element, "uservisible") or "true").lower() in _YES,
        "packages": required,
    }
    names = dict.fromkeys(name for names in required.values() for name in names)
    return Extra("group", id_, title, data, raw, tuple(map(PackageRef, names)))


def _members(element: Any) -> dict[str, Any]:
    return {
        "description": _untranslated(element, "description"),
        "groups": _texts(element, "{*}grouplist/{*}groupid"),
        "options": _texts(element, "{*}optionlist/{*}groupid"),
    }


def _texts(element: Any, path: str) -> list[str]:
    return [text for item in element.iterfind(path) if (text := (item.text or "").strip())]


def _untranslated(element: Any, name: str) -> str:
    for child in element:
        # Files that were not put through intltool yet have an underscore before what is to be translated.
        if local_name(child).lstrip("_") == name and child.get(_LANGUAGE) is None:
            return (child.text or "").strip()
    return ""


def _limited(chunks: Iterator[bytes], name: str) -> Iterator[bytes]:
    total = 0
    for chunk in chunks:
        total += len(chunk)
        if total > COMPS_LIMIT:
            raise IndexFormatError(f"{name} has more than {COMPS_LIMIT} bytes", file=name)
        yield chunk


def _raw(etree: Any, element: Any) -> bytes:
    raw: bytes = etree.tostring(element, encoding="UTF-8", xml_declaration=False, with_tail=False)
    return raw
