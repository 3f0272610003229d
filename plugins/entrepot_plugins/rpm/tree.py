"""Renders distributions of an RPM repository: repodata as createrepo_c writes it, for dnf, yum and zypper.

Every index is under a name that begins with its digest, so that a client which holds an older repomd.xml still finds
what that one lists. Packages' elements are put together as they came: only their ``location`` is written anew.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import re
from array import array
from collections.abc import Callable, Iterator, Sequence
from html import escape
from itertools import chain

from entrepot.contracts import IndexText, SetupStep, TreeFile, TreeTools, VersionView
from entrepot.errors import IndexFormatError, UsageError
from entrepot.models import Distribution, EntryRef, PackageInfo, Phase, PublishedEntry, Repository
from entrepot.publish.bodies import BytesBody
from entrepot.publish.encoders import COMPRESSIONS
from entrepot_plugins.rpm import verbatim
from entrepot_plugins.rpm.client_setup import index_page, repo_file, setup_steps, upstream_key_name
from entrepot_plugins.rpm.extras_writer import extra_metadata
from entrepot_plugins.rpm.images import installer_files
from entrepot_plugins.rpm.raw import pack, primary_of, unpack
from entrepot_plugins.rpm.repomd_writer import XML, Metadata, compressed, repomd_text

_PACKAGES = "Packages"
_DIGEST = 16
"""Bytes of a digest in an ``EntryRef``."""
_NAMESPACE = "http://linux.duke.edu/metadata"
_ROOTS = {
    "primary": ("metadata", f'xmlns="{_NAMESPACE}/common" xmlns:rpm="{_NAMESPACE}/rpm"'),
    "filelists": ("filelists", f'xmlns="{_NAMESPACE}/filelists"'),
    "other": ("otherdata", f'xmlns="{_NAMESPACE}/other"'),
}
"""Root elements with their namespaces."""
_ATTRIBUTES = rb"""(?:[^<>"'/]|"[^"<]*"|'[^'<]*')*"""
_LOCATION = re.compile(rb"<location(?=[\s/>])%b(?:/>|>\s*</location\s*>)" % _ATTRIBUTES)
"""Of a well-formed element: attributes in any order and with either quotes, nothing between its tags."""

EntryText = Callable[[PublishedEntry], bytes]


class RpmTree:
    """Renders versions of distributions, and the front of the repository that they are in."""

    render_generation = 1
    compressions: tuple[str, ...] = ("gz",)
    """Every client reads it. EL 7 and older read no zst."""
    offered_compressions: tuple[str, ...] = COMPRESSIONS
    payload_type = "application/x-rpm"

    def location(self, package: PackageInfo, distribution: Distribution, component: str) -> str:
        """``el9/x86_64/Packages/h``: below the distribution, which clients take for a repository of its own."""
        first = package.name[:1].lower()
        return f"{distribution.name}/{_PACKAGES}/{first if first.isascii() and first.isalnum() else '_'}"

    def index_row(self, published: PublishedEntry) -> bytes:
        """The elements of a package."""
        primary, filelists, other = unpack(published.raw)
        return pack(located(primary, f"{published.location}/{published.files[0].name}"), filelists, other)

    def build(self, version: VersionView, tools: TreeTools) -> Iterator[TreeFile]:
        """Indexes and the installer's files, then repomd.xml.key and repomd.xml.asc, then repomd.xml.

        repomd.xml names one file of each type, so only the first of the distribution's compressions is used.
        """
        folder = version.distribution.name
        yield from self._build(version, tools, folder, primary_text(folder))

    def build_snapshot(self, version: VersionView, name: str, tools: TreeTools) -> Iterator[TreeFile]:
        """``snapshots/NAME/DISTRIBUTION`` is a repository for clients, which find its packages by the way up.

        ``UsageError`` for a verbatim distribution: its index cannot say that packages are elsewhere.
        """
        if version.distribution.verbatim:
            raise UsageError(
                f"{version.distribution.path} is verbatim: its upstream's index names packages beside itself only",
                hint="mirror into a distribution that is not verbatim, which can have snapshots",
            )
        folder = f"snapshots/{name}/{version.distribution.name}"
        yield from self._build(version, tools, folder, beside_text(folder))

    def _build(self, version: VersionView, tools: TreeTools, folder: str, text: EntryText) -> Iterator[TreeFile]:
        if version.distribution.verbatim:
            yield from verbatim.tree_files(version, folder)
            return
        compression = (version.distribution.compressions or self.compressions)[0]
        listed: list[Metadata] = []
        for metadata in chain(_indexes(version, tools, compression, text), extra_metadata(version, tools, compression)):
            listed.append(metadata)
            yield metadata.placed(folder)
        repomd = repomd_text(listed, tools.now)
        yield from installer_files(version, folder, repomd)
        yield from _signed(f"{folder}/repodata/repomd.xml", repomd, tools)

    def expired(self, distribution: Distribution, published: dt.datetime, now: dt.datetime) -> bool:
        """Never: repomd.xml says until when nothing."""
        return False

    def upstream_root(self, distribution: Distribution) -> str:
        """The distribution, which clients take for a repository of its own."""
        return f"{distribution.name}/"

    def front(
        self, repository: Repository, distributions: Sequence[Distribution], tools: TreeTools
    ) -> Iterator[TreeFile]:
        """The key, a ready ``.repo`` file where clients can reach the tree by a URL, and a page for people."""
        fingerprint = ""
        if tools.signer is not None:
            fingerprint = tools.signer.fingerprint
            yield _file(f"{repository.name}.asc", Phase.INDEX, tools.signer.public_key, "application/pgp-keys")
        for name, upstream_key in tools.upstream_keys.items():
            path = f"{upstream_key_name(repository, name)}.asc"
            yield _file(path, Phase.INDEX, upstream_key, "application/pgp-keys")
        sections = repo_file(
            repository, distributions, signed=tools.signer is not None, upstream_keys=frozenset(tools.upstream_keys)
        )
        if sections:
            yield _file(f"{repository.name}.repo", Phase.INDEX, sections.encode(), "text/plain; charset=utf-8")
        page = index_page(repository, distributions, fingerprint)
        yield _file("index.html", Phase.INDEX, page.encode(), "text/html; charset=utf-8")

    def setup_steps(
        self, repository: Repository, distributions: Sequence[Distribution], fingerprint: str
    ) -> Sequence[SetupStep]:
        """What the page for people says, too."""
        return setup_steps(repository, distributions, signed=bool(fingerprint))


def located(element: bytes, href: str) -> bytes:
    """An element of primary with ``href`` as its only location, wherever upstream had the package.

    ``IndexFormatError`` if it has no location.
    """
    locations = chain([f'<location href="{escape(href)}"/>'.encode()], iter(lambda: b"", None))
    result, count = _LOCATION.subn(lambda _: next(locations), element)
    if not count:
        raise IndexFormatError(f"the metadata of {href} has no location", hint="sync its source again with --force")
    return result


def primary_text(folder: str) -> EntryText:
    """Writes elements of primary, in a distribution whose tree is in ``folder``."""

    def text(published: PublishedEntry) -> bytes:
        href = f"{published.location}/{published.files[0].name}".removeprefix(f"{folder}/")
        return located(primary_of(published.raw), href) + b"\n"

    return text


def beside_text(folder: str) -> EntryText:
    """Writes elements of primary for a tree in ``folder``, of packages that are elsewhere."""
    up = "../" * len(folder.split("/"))

    def text_beside(published: PublishedEntry) -> bytes:
        href = f"{up}{published.location}/{published.files[0].name}"
        return located(primary_of(published.raw), href) + b"\n"

    return text_beside


def filelists_text(published: PublishedEntry) -> bytes:
    """An element of filelists."""
    return unpack(published.raw).filelists + b"\n"


def other_text(published: PublishedEntry) -> bytes:
    """An element of other."""
    return unpack(published.raw).other + b"\n"


def _indexes(version: VersionView, tools: TreeTools, compression: str, primary: EntryText) -> Iterator[Metadata]:
    members = _Members(version)
    entries = {
        "primary": primary,
        "filelists": filelists_text,
        "other": other_text,
    }
    texts = {name: IndexText(entry, *_around(name, len(members))) for name, entry in entries.items()}
    rendered = tools.render_together(members, texts, compressions=(compression,))
    for name, files in rendered.items():
        yield compressed(name, f"{name}.xml", compression, files)


def _around(name: str, count: int) -> tuple[bytes, bytes]:
    """What stands before and after the packages of an index."""
    root, attributes = _ROOTS[name]
    head = f'<?xml version="1.0" encoding="UTF-8"?>\n<{root} {attributes} packages="{count}">\n'
    return head.encode(), f"</{root}>\n".encode()


class _Members:
    """The packages of a version, binary ones first. They are counted before they are rendered: 24 bytes each."""

    def __init__(self, version: VersionView) -> None:
        self._ids = array("q")
        self._digests = bytearray()
        groups: dict[tuple[str, str], list[str]] = {}
        for component, kind, architecture in version.groups():
            groups.setdefault((component, kind), []).append(architecture)
        for (component, kind), architectures in groups.items():
            for ref in version.entries(component, kind, architectures):
                self._ids.append(ref.entry_id)
                self._digests += ref.digest

    def __len__(self) -> int:
        return len(self._ids)

    def __iter__(self) -> Iterator[EntryRef]:
        for position, entry_id in enumerate(self._ids):
            at = position * _DIGEST
            yield EntryRef(entry_id, bytes(self._digests[at : at + _DIGEST]))


def _signed(path: str, repomd: bytes, tools: TreeTools) -> Iterator[TreeFile]:
    """repomd.xml with its signature. The key beside it is what zypper asks for when it does not know the signer."""
    if tools.signer is not None:
        yield _file(f"{path}.key", Phase.SIGNATURE, tools.signer.public_key, "application/pgp-keys")
        signature = tools.signer.detach(repomd, now=tools.now)
        yield _file(f"{path}.asc", Phase.SIGNATURE, signature, "application/pgp-signature")
    yield _file(path, Phase.ENTRY, repomd, XML)


def _file(path: str, phase: Phase, data: bytes, content_type: str) -> TreeFile:
    return TreeFile(path, phase, len(data), hashlib.sha256(data).hexdigest(), BytesBody(data), content_type)
