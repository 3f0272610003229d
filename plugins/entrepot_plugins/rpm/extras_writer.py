"""What a distribution's repodata has besides packages: advisories, groups, modules, and files that are kept.

Elements and documents are put together as they came, so that nothing that upstream said is lost.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from functools import partial

from entrepot.contracts import RenderedFile, TreeTools, VersionView
from entrepot.models import Extra
from entrepot.publish.bodies import BytesBody
from entrepot_plugins.rpm.repomd_writer import Metadata, compressed

_DECLARATION = b'<?xml version="1.0" encoding="UTF-8"?>\n'
_COMPS_HEAD = _DECLARATION + b'<!DOCTYPE comps PUBLIC "-//Red Hat, Inc.//DTD Comps info//EN" "comps.dtd">\n<comps>\n'
_COMPS = ("group", "category", "environment", "langpacks")
"""Kinds that make up comps, in the order that libcomps writes them."""

_FILE = "file:"
_TYPE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,63}")
_SUFFIX = re.compile(r"(?:\.(?:xml|yaml|json|txt|tar|gz|xz|bz2|zst))*$")
_WRITTEN_HERE = frozenset({"primary", "filelists", "other", "updateinfo", "group", "modules"})
_OF_PACKAGES = frozenset({"filelists-ext", "prestodelta", "deltainfo"})
"""Upstream's lists of packages: copied, they would name what is not in the tree."""


def extra_metadata(version: VersionView, tools: TreeTools, compression: str) -> Iterator[Metadata]:
    """The files of repodata that are not lists of packages, those that a version has something for."""
    kinds = version.extra_kinds()
    if "advisory" in kinds:
        rendered = tools.render_text(partial(_advisories, version), (compression,))
        yield compressed("updateinfo", "updateinfo.xml", compression, rendered)
    if comps := [kind for kind in _COMPS if kind in kinds]:
        # dnf looks for group_gz first, whatever the compression of the rest; others know only the plain one.
        rendered = tools.render_text(partial(_comps, version, comps), ("gz",))
        plain = rendered[""]
        yield Metadata("group", "comps.xml", plain)
        yield compressed("group_gz", "comps.xml", "gz", rendered)
    if "module" in kinds:
        rendered = tools.render_text(partial(_modules, version), (compression,))
        yield compressed("modules", "modules.yaml", compression, rendered)
    for kind in kinds:
        if kind.startswith(_FILE) and _is_kept(kind.removeprefix(_FILE)):
            # A record's type is there once: where two sources have such a file, the first by name and digest it is.
            yield _kept(kind.removeprefix(_FILE), next(iter(version.extras(kind))))


def _advisories(version: VersionView) -> Iterator[bytes]:
    yield _DECLARATION + b"<updates>\n"
    yield from _lines(version, "advisory")
    yield b"</updates>\n"


def _comps(version: VersionView, kinds: list[str]) -> Iterator[bytes]:
    yield _COMPS_HEAD
    for kind in kinds:
        yield from _lines(version, kind)
    yield b"</comps>\n"


def _lines(version: VersionView, kind: str) -> Iterator[bytes]:
    for extra in version.extras(kind):
        yield extra.raw.strip() + b"\n"


def _modules(version: VersionView) -> Iterator[bytes]:
    """YAML documents, each with its start (YAML 1.2.2, 9.1): without one it would go on the one before."""
    for extra in version.extras("module"):
        document = extra.raw.strip(b"\r\n")
        yield document if document.startswith(b"---") else b"---\n" + document
        yield b"\n" if document.endswith(b"\n...") else b"\n...\n"


def _is_kept(type_: str) -> bool:
    base = type_.partition("_")[0]  # primary_db, group_xz, updateinfo_zck ...
    return _TYPE.fullmatch(type_) is not None and base not in _WRITTEN_HERE | _OF_PACKAGES


def _kept(type_: str, extra: Extra) -> Metadata:
    """The file as it came, with what upstream says of it uncompressed, as far as we would say it ourselves."""
    suffix = _SUFFIX.search(str(extra.data.get("name", "")))
    file = RenderedFile("", len(extra.raw), hashlib.sha256(extra.raw).hexdigest(), BytesBody(extra.raw))
    algorithm, _, digest = str(extra.data.get("open_checksum", "")).partition(":")
    size = extra.data.get("open_size")
    return Metadata(
        type_,
        f"{type_}{suffix[0] if suffix else ''}",
        file,
        digest if algorithm == "sha256" else None,
        size if isinstance(size, int) else None,
    )
