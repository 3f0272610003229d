"""RPM packages and versions for tests of tree builders: texts without files, or files that createrepo_c reads.

::

    version = RpmView(a_rpm_repository(), a_rpm_distribution(), [an_rpm("hello")], advisories=[...])
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from entrepot.models import Distribution, Extra, PackageFile, PackageInfo, Repository, Sha256
from entrepot_plugins.rpm.library import createrepo
from entrepot_plugins.rpm.raw import pack
from entrepot_plugins.rpm.tree import RpmTree
from support.views import MemoryView, a_distribution, a_repository

_PRIMARY = """\
<package type="rpm">
  <name>{name}</name>
  <arch>{arch}</arch>
  <version epoch="0" ver="{version}" rel="{release}"/>
  <checksum type="sha256" pkgid="YES">{digest}</checksum>
  <summary>A &lt;package&gt; &amp; more</summary>
  <description></description>
  <packager></packager>
  <url></url>
  <time file="1700000000" build="1700000000"/>
  <size package="1234" installed="42" archive="300"/>
  <location href="upstream/{name}.rpm"/>
  <format>
    <rpm:license>MIT</rpm:license>
    <rpm:header-range start="280" end="1000"/>
    <rpm:provides>
      <rpm:entry name="{name}" flags="EQ" epoch="0" ver="{version}" rel="{release}"/>
    </rpm:provides>
  </format>
</package>"""
_LIST = """\
<package pkgid="{digest}" name="{name}" arch="{arch}">
  <version epoch="0" ver="{version}" rel="{release}"/>{more}
</package>"""
_FILE = "\n  <file>/usr/bin/{name}</file>"
_CHANGE = '\n  <changelog author="Somebody &lt;a@example.org&gt; - 1-1" date="1700000000">- made</changelog>'


def a_rpm_repository(**changes: Any) -> Repository:
    """The repository ``example``, for RPM."""
    return a_repository(**{"format": "rpm", **changes})


def a_rpm_distribution(name: str = "el9/x86_64", **changes: Any) -> Distribution:
    """A distribution of it."""
    return a_distribution(name, **{"format": "rpm", **changes})


def an_rpm(
    name: str = "hello", version: str = "1.0", release: str = "1", arch: str = "x86_64", **changes: str
) -> PackageInfo:
    """A package of which there are only the elements. ``changes`` replace ``primary``, ``filelists`` or ``other``."""
    digest = hashlib.sha256(f"{name} {version} {release} {arch}".encode()).hexdigest()
    known = {"name": name, "version": version, "release": release, "arch": arch, "digest": digest}
    elements = {
        "primary": _PRIMARY.format(**known),
        "filelists": _LIST.format(**known, more=_FILE.format(name=name)),
        "other": _LIST.format(**known, more=_CHANGE),
        **changes,
    }
    raw = pack(*(elements[kind].encode() for kind in ("primary", "filelists", "other")))
    return _info(name, f"{version}-{release}", arch, raw, f"{name}-{version}-{release}.{arch}.rpm", 1234, digest)


def read_rpm(path: Path) -> PackageInfo:
    """A package file as createrepo_c reads it."""
    package = createrepo().package_from_rpm(str(path), location_href=f"upstream/{path.name}", changelog_limit=10)
    raw = pack(*(element.strip().encode() for element in createrepo().xml_dump(package)))
    epoch = f"{package.epoch}:" if package.epoch not in (None, "", "0") else ""
    version = f"{epoch}{package.version}-{package.release}"
    return _info(package.name, version, package.arch, raw, path.name, path.stat().st_size, package.pkgId)


def _info(name: str, version: str, arch: str, raw: bytes, file: str, size: int, digest: str) -> PackageInfo:
    source = arch in ("src", "nosrc")
    return PackageInfo(
        format="rpm",
        kind="source" if source else "binary",
        name=name,
        version=version,
        version_key=version.encode(),
        architecture="source" if source else arch,
        source_name=name,
        summary="",
        section="",
        raw=raw,
        files=(PackageFile(file, size, Sha256(digest)),),
    )


def extra(kind: str, name: str, raw: bytes, /, **data: Any) -> Extra:
    """Something that an index says besides packages."""
    return Extra(kind, name, name, data, raw)


class RpmView(MemoryView):
    """A version of RPM packages, at their places by the format's custom, and what belongs to it besides."""

    def __init__(
        self,
        repository: Repository,
        distribution: Distribution,
        packages: Iterable[PackageInfo] = (),
        extras: Sequence[Extra] = (),
    ) -> None:
        tree = RpmTree()
        placed = [("main", info, tree.location(info, distribution, "main")) for info in packages]
        super().__init__(repository, distribution, placed)
        self._extras: Mapping[str, list[Extra]] = {}
        for item in sorted(extras, key=lambda item: (item.kind, item.name, item.raw)):
            self._extras = {**self._extras, item.kind: [*self._extras.get(item.kind, []), item]}

    def extras(self, kind: str) -> Iterator[Extra]:
        """See ``VersionView``."""
        return iter(self._extras.get(kind, []))

    def extra_kinds(self) -> Sequence[str]:
        """See ``VersionView``."""
        return sorted(self._extras)


def packages_of(root: Path) -> dict[str, dict[str, Any]]:
    """All that createrepo_c's own parser reads of every package of the repository in ``root``, by its digest."""
    found = {}
    library_ = createrepo()
    repomd = library_.Repomd(str(root / "repodata/repomd.xml"))
    paths = {record.type: str(root / record.location_href) for record in repomd.records}
    warnings: list[str] = []

    def warn(_: object, message: str) -> bool:
        warnings.append(message)
        return True

    iterator = library_.PackageIterator(paths["primary"], paths["filelists"], paths["other"], warningcb=warn)
    for package in iterator:
        names = [name for name in dir(package) if not name.startswith("_") and name not in ("copy", "nevra", "nvra")]
        found[package.pkgId] = {name: value for name in names if not callable(value := getattr(package, name))}
    assert not warnings
    return found
