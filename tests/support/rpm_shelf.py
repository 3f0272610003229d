"""Small pools of RPM packages, written down in a line each."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Iterator
from importlib import import_module
from itertools import count
from pathlib import Path
from xml.sax.saxutils import escape, quoteattr

from entrepot.contracts import Candidate
from entrepot_plugins.rpm.raw import pack, unpack

COMMON = "http://linux.duke.edu/metadata/common"
FILELISTS = "http://linux.duke.edu/metadata/filelists"
RPM = "http://linux.duke.edu/metadata/rpm"
REPO = "http://linux.duke.edu/metadata/repo"
FLAGS = {">": "GT", "=": "EQ", ">=": "GE", "<": "LT", "<=": "LE"}

_numbers = count(1)


def package(line: str) -> Candidate:
    """A candidate: ``NAME[:ARCHITECTURE]=[EPOCH:]VERSION-RELEASE [present] [/ Field: dependency, dependency]...``.

    ``-RELEASE`` is ``-1`` where it is left out. Fields are those of a spec file, and ``Files``, of which those in
    ``/usr/bin`` and ``/etc`` get into primary.xml.
    """
    head, *fields = line.split(" / ")
    identity, _, flag = head.partition(" ")
    name, _, architecture = identity.partition("=")[0].partition(":")
    version = identity.partition("=")[2]
    version = version if "-" in version else f"{version}-1"
    architecture = architecture or "x86_64"
    listed = {field.partition(":")[0]: field.partition(":")[2].strip().split(", ") for field in fields}
    every = [f"<file>{escape(path)}</file>" for path in listed.pop("Files", [])]
    picked = [file for file in every if file.startswith(("<file>/usr/bin/", "<file>/etc/"))]
    said = [f"<rpm:{field.lower()}>{''.join(map(_entry, one))}</rpm:{field.lower()}>" for field, one in listed.items()]
    digest = hashlib.sha256(line.encode()).hexdigest()
    primary = (
        f'<package type="rpm"><name>{escape(name)}</name><arch>{architecture}</arch>{_version(version)}'
        f'<checksum type="sha256" pkgid="YES">{digest}</checksum><summary/><description/><packager/><url/>'
        '<time file="1" build="1"/><size package="1" installed="1" archive="1"/>'
        f'<location href="{digest}.rpm"/><format>{"".join(said + picked)}</format></package>'
    )
    filelists = (
        f'<package pkgid="{digest}" name={quoteattr(name)} arch="{architecture}">{_version(version)}'
        f"{''.join(every)}</package>"
    )
    raw = pack(primary.encode(), filelists.encode(), b"")
    return Candidate(next(_numbers), name, version, architecture, raw, present=flag == "present")


def _version(version: str) -> str:
    epoch, _, rest = version.rpartition(":")
    ver, _, rel = rest.partition("-")
    return f'<version epoch="{epoch or 0}" ver="{ver}" rel="{rel}"/>'


def _entry(dependency: str) -> str:
    name, _, rest = dependency.partition(" ")
    if dependency.startswith("(") or not rest:
        return f"<rpm:entry name={quoteattr(dependency)}/>"
    operator, _, version = rest.partition(" ")
    epoch, _, without = version.rpartition(":")
    ver, _, rel = without.partition("-")
    release = f' rel="{rel}"' if rel else ""
    epoch = epoch or "0"
    return f'<rpm:entry name={quoteattr(name)} flags="{FLAGS[operator]}" epoch="{epoch}" ver="{ver}"{release}/>'


def label(candidate: Candidate) -> str:
    """NAME=VERSION, the release left out where it is ``1``."""
    return f"{candidate.name}={candidate.version.removesuffix('-1')}"


class Shelf:
    """A pool that remembers for which names it was asked."""

    def __init__(self, candidates: Iterable[Candidate]) -> None:
        self.candidates = tuple(candidates)
        self.asked: list[tuple[str, ...]] = []
        self._provided = {candidate: provided(candidate) for candidate in self.candidates}

    def named(self, names: Collection[str]) -> Iterator[Candidate]:
        """As ``CandidatePool.named``."""
        self.asked.append(tuple(names))
        return (candidate for candidate in self.candidates if candidate.name in names)

    def providing(self, names: Collection[str]) -> Iterator[Candidate]:
        """As ``CandidatePool.providing``."""
        return (candidate for candidate in self.candidates if self._provided[candidate].intersection(names))

    def everything(self) -> Iterator[Candidate]:
        """As ``CandidatePool.everything``."""
        return iter(self.candidates)

    def find(self, text: str) -> Candidate:
        """The one candidate that is called ``NAME``, ``NAME=VERSION`` or ``NAME:ARCHITECTURE``."""
        found = [one for one in self.candidates if text in (one.name, label(one), f"{one.name}:{one.architecture}")]
        assert len(found) == 1, f"{text} is not one candidate: {found}"
        return found[0]


def provided(candidate: Candidate) -> set[str]:
    """Names that a candidate provides by its element in primary.xml, its own left out."""
    head = f'<metadata xmlns="{COMMON}" xmlns:rpm="{RPM}">'.encode()
    root = import_module("lxml.etree").fromstring(head + unpack(candidate.raw).primary + b"</metadata>")
    entries = root.iterfind(f".//{{{RPM}}}provides/{{{RPM}}}entry")
    files = root.iterfind(f".//{{{COMMON}}}file")
    return {str(entry.get("name")) for entry in entries} | {str(file.text) for file in files}


def write_repository(folder: Path, candidates: Iterable[Candidate]) -> None:
    """``folder`` as a repository of these candidates whose packages cannot be fetched."""
    elements = [unpack(candidate.raw) for candidate in candidates]
    documents = {
        "primary": f'<metadata xmlns="{COMMON}" xmlns:rpm="{RPM}" packages="{len(elements)}">'.encode()
        + b"".join(element.primary for element in elements)
        + b"</metadata>",
        "filelists": f'<filelists xmlns="{FILELISTS}" packages="{len(elements)}">'.encode()
        + b"".join(element.filelists for element in elements)
        + b"</filelists>",
    }
    (folder / "repodata").mkdir(parents=True)
    data = ""
    for kind, document in documents.items():
        (folder / f"repodata/{kind}.xml").write_bytes(document)
        digest = hashlib.sha256(document).hexdigest()
        data += (
            f'<data type="{kind}"><checksum type="sha256">{digest}</checksum><location href="repodata/{kind}.xml"/>'
            f"<timestamp>1</timestamp><size>{len(document)}</size></data>"
        )
    (folder / "repodata/repomd.xml").write_text(f'<repomd xmlns="{REPO}"><revision>1</revision>{data}</repomd>')
