"""Package URLs of the type ``deb`` (https://github.com/package-url/purl-spec/blob/main/types/deb-definition.json)."""

from __future__ import annotations

from entrepot.models import ListedPackage
from entrepot_plugins.shared.releases import DEBIAN, codename


def deb_purl(package: ListedPackage) -> str:
    """``pkg:deb/debian/curl@7.88.1-10?arch=amd64&distro=bookworm``; the epoch is part of the version.

    The namespace is the vendor as far as that can be told; without one it is nobody's.
    """
    from packageurl import PackageURL

    release = codename(package.upstream)
    qualifiers = {"arch": package.architecture}
    if release:
        qualifiers["distro"] = release
    vendor = _vendor(package, release)
    return PackageURL("deb", vendor, package.name, package.version, qualifiers).to_string()


def _vendor(package: ListedPackage, release: str) -> str | None:
    if release:
        return "debian" if release in DEBIAN else "ubuntu"
    address = package.maintainer.lower()
    if "ubuntu" in package.version or address.endswith(("ubuntu.com>", "canonical.com>")):
        return "ubuntu"
    return "debian" if address.endswith("debian.org>") else None
