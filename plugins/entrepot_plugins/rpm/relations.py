"""Reads what a package says of others out of its elements in primary.xml and filelists.xml."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from html import escape
from importlib import import_module
from itertools import chain
from typing import Any

from entrepot.errors import IndexFormatError, MissingExtraError

from .dependencies import Capability, Dependency, capabilities, parse_rich, shown
from .raw import primary_of, unpack

_COMMON = "{http://linux.duke.edu/metadata/common}"
_RPM = "{http://linux.duke.edu/metadata/rpm}"
_FILELISTS = "{http://linux.duke.edu/metadata/filelists}"
_PRIMARY_ROOT = (
    b'<metadata xmlns="http://linux.duke.edu/metadata/common" xmlns:rpm="http://linux.duke.edu/metadata/rpm">',
    b"</metadata>",
)
_FILELISTS_ROOT = (b'<filelists xmlns="http://linux.duke.edu/metadata/filelists">', b"</filelists>")
_COMPARISONS = {"GT": ">", "EQ": "=", "GE": ">=", "LT": "<", "LE": "<="}
_FIELDS = ("requires", "provides", "conflicts", "obsoletes", "recommends", "suggests", "supplements", "enhances")


@dataclass(frozen=True, slots=True)
class Relations:
    """What one package says. ``files`` are those that primary.xml names: programs, /etc, /usr/lib/sendmail.

    Requirements of features of rpm itself (``rpmlib(...)``) are left out: clients answer them, not packages.
    """

    requires: tuple[Dependency, ...] = ()
    provides: tuple[Dependency, ...] = ()
    conflicts: tuple[Dependency, ...] = ()
    obsoletes: tuple[Dependency, ...] = ()
    recommends: tuple[Dependency, ...] = ()
    suggests: tuple[Dependency, ...] = ()
    supplements: tuple[Dependency, ...] = ()
    enhances: tuple[Dependency, ...] = ()
    files: frozenset[str] = frozenset()

    def paths(self) -> Iterator[str]:
        """The paths of files that it asks for, or says anything else of."""
        for dependency in chain.from_iterable(getattr(self, field) for field in _FIELDS if field != "provides"):
            for capability in capabilities(dependency):
                if capability.name.startswith("/"):
                    yield capability.name


class RelationReader:
    """Reads relations; what many packages say alike is kept once."""

    def __init__(self) -> None:
        try:
            self._etree = import_module("lxml.etree")
        except ImportError as error:
            raise MissingExtraError("the solver of RPM needs lxml", hint="pip install 'entrepot[rpm]'") from error
        self._known: dict[tuple[str | None, ...], Dependency] = {}

    def read(self, raw: bytes, label: str) -> Relations:
        """The relations in the catalog's raw text; ``IndexFormatError`` naming ``label`` if there is no sense in it."""
        body = self._element(primary_of(raw), _PRIMARY_ROOT, label).find(f"{_COMMON}format")
        if body is None:
            return Relations()
        found = {field: self._dependencies(body, field, label) for field in _FIELDS}
        found["requires"] = tuple(need for need in found["requires"] if not str(need).startswith("rpmlib("))
        return Relations(**found, files=frozenset(file.text for file in body.iterfind(f"{_COMMON}file") if file.text))

    def listed(self, raw: bytes, paths: Collection[str], label: str) -> frozenset[str]:
        """Those of ``paths`` that the package's element in filelists.xml has."""
        text = unpack(raw).filelists
        if not any(escape(path, quote=False).encode() in text for path in paths):
            return frozenset()
        files = self._element(text, _FILELISTS_ROOT, label).iterfind(f"{_FILELISTS}file")
        return frozenset(paths).intersection(file.text for file in files)

    def _element(self, text: bytes, root: tuple[bytes, bytes], label: str) -> Any:
        # Within another element a document can declare no entities, and libxml2's own limits (on depth and on the
        # length of a text) are those for documents of strangers.
        parser = self._etree.XMLParser(resolve_entities=False, no_network=True, remove_comments=True, remove_pis=True)
        try:
            document = self._etree.fromstring(text.join(root), parser)
        except self._etree.XMLSyntaxError as error:
            raise IndexFormatError(f"{label}: {shown(str(error))}", package=label) from error
        if len(document) != 1:
            raise IndexFormatError(f"{label}: its metadata is not one element", package=label)
        return document[0]

    def _dependencies(self, body: Any, field: str, label: str) -> tuple[Dependency, ...]:
        listed = body.find(_RPM + field)
        if listed is None:
            return ()
        try:
            return tuple(map(self._dependency, listed.iterfind(f"{_RPM}entry")))
        except ValueError as error:
            raise IndexFormatError(f"{label}: {field}: {error}", package=label, field=field) from error

    def _dependency(self, entry: Any) -> Dependency:
        attributes = tuple(map(entry.get, ("name", "flags", "epoch", "ver", "rel")))
        dependency = self._known.get(attributes)
        if dependency is None:
            dependency = self._known[attributes] = _dependency(*attributes)
        return dependency


def _dependency(
    name: str | None, flags: str | None, epoch: str | None, version: str | None, release: str | None
) -> Dependency:
    if not flags:
        return parse_rich(name) if name and name.startswith("(") else Capability(name or "")
    if flags not in _COMPARISONS:
        raise ValueError(f"{shown(flags)} is no comparison of versions")
    if not version:  # of packages whose build left a macro empty; rpm takes any version for equal to none
        return Capability(name or "")
    evr = f"{version}-{release}" if release else version
    if epoch and epoch != "0":
        evr = f"{epoch}:{evr}"
    return Capability(name or "", _COMPARISONS[flags], evr)
