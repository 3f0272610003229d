"""Files of repodata, and repomd.xml, which lists them, as createrepo_c writes it.

There is no written standard: createrepo_c, librepo and libsolv are what tells which elements there are.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from html import escape

from entrepot.contracts import RenderedFile, TreeFile
from entrepot.models import Phase

XML = "text/xml; charset=utf-8"
_TEXT_TYPES = {"xml": XML, "yaml": "text/yaml; charset=utf-8"}
_PACKED_TYPES = {"gz": "application/gzip", "xz": "application/x-xz", "zst": "application/zstd"}
_HEAD = """\
<?xml version="1.0" encoding="UTF-8"?>
<repomd xmlns="http://linux.duke.edu/metadata/repo" xmlns:rpm="http://linux.duke.edu/metadata/rpm">
"""


@dataclass(frozen=True, slots=True)
class Metadata:
    """One file of repodata. ``name`` is what follows the digest in its file name.

    ``open_sha256`` and ``open_size`` are of its content without compression; None where it has none, or nobody knows.
    """

    type: str
    name: str
    file: RenderedFile
    open_sha256: str | None = None
    open_size: int | None = None

    @property
    def href(self) -> str:
        """Its path in a repository. It begins with its digest, so that no other content ever has the same."""
        return f"repodata/{self.file.sha256}-{self.name}"

    def placed(self, folder: str) -> TreeFile:
        """The file in the tree of a repository that is in ``folder``."""
        suffix = self.name.rpartition(".")[2]
        content_type = {**_TEXT_TYPES, **_PACKED_TYPES}.get(suffix, "application/octet-stream")
        path = f"{folder}/{self.href}"
        return TreeFile(path, Phase.IMMUTABLE, self.file.size, self.file.sha256, self.file.body, content_type)


def compressed(type_: str, name: str, compression: str, files: Mapping[str, RenderedFile]) -> Metadata:
    """A rendered file in one of its compressions; ``name`` is without suffix of the compression."""
    plain, file = files[""], files[compression]
    return Metadata(type_, f"{name}.{compression}", file, plain.sha256, plain.size)


def repomd_text(listed: Iterable[Metadata], now: dt.datetime) -> bytes:
    """The text of repomd.xml. Revision and all times are ``now``, in seconds since 1970.

    Files have no time of their own: clients take the latest one for the age of the repository, and compare digests to
    find out what changed.
    """
    seconds = int(now.timestamp())
    lines = [_HEAD, f"  <revision>{seconds}</revision>\n"]
    for metadata in listed:
        lines += _record(metadata, seconds)
    lines.append("</repomd>\n")
    return "".join(lines).encode()


def _record(metadata: Metadata, seconds: int) -> Iterator[str]:
    yield f'  <data type="{escape(metadata.type)}">\n'
    yield f'    <checksum type="sha256">{metadata.file.sha256}</checksum>\n'
    if metadata.open_sha256 is not None:
        yield f'    <open-checksum type="sha256">{escape(metadata.open_sha256)}</open-checksum>\n'
    yield f'    <location href="{escape(metadata.href)}"/>\n'
    yield f"    <timestamp>{seconds}</timestamp>\n"
    yield f"    <size>{metadata.file.size}</size>\n"
    if metadata.open_size is not None:
        yield f"    <open-size>{metadata.open_size}</open-size>\n"
    yield "  </data>\n"
