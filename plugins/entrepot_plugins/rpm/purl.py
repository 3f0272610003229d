"""Package URLs of the type ``rpm`` (https://github.com/package-url/purl-spec/blob/main/types/rpm-definition.json)."""

from __future__ import annotations

import re

from entrepot.models import SOURCE_ARCHITECTURE, ListedPackage

VENDORS = {
    "almalinux": "almalinux",
    "red hat": "redhat",
    "rocky": "rocky",
    "centos": "centos",
    "fedora": "fedora",
    "opensuse": "opensuse",
    "suse": "suse",
    "oracle": "oracle",
    "amazon": "amazon",
    "mageia": "mageia",
    "openeuler": "openeuler",
}
"""What a vendor's name has in it, and the namespace that package URLs have for it; ``opensuse`` before ``suse``."""

_TAG = re.compile(r"\.(el|fc|amzn|mga)([0-9]{1,4})")
_TAGGED = {"fc": "fedora", "amzn": "amazon", "mga": "mageia"}


def rpm_purl(package: ListedPackage) -> str:
    """``pkg:rpm/almalinux/curl@7.76.1-26.el9?arch=x86_64&distro=almalinux-9&epoch=1``.

    The epoch is a qualifier and left out if it is 0; a source package has the architecture ``src``; a module's stream
    is ``rpmmod``.
    """
    from packageurl import PackageURL

    epoch, _, version = package.version.rpartition(":")
    qualifiers = {"arch": "src" if package.architecture == SOURCE_ARCHITECTURE else package.architecture}
    if epoch not in ("", "0"):
        qualifiers["epoch"] = epoch
    if package.module:
        qualifiers["rpmmod"] = package.module
    vendor = _vendor(package)
    if tag := _TAG.search(version):
        qualifiers["distro"] = f"{vendor}-{tag[2]}" if vendor else f"{tag[1]}{tag[2]}"
    return PackageURL("rpm", vendor or None, package.name, version, qualifiers).to_string()


def _vendor(package: ListedPackage) -> str:
    """The vendor that the package names, or that its source is called after; empty if nobody knows."""
    for text in (package.maintainer, package.origin):
        for word, namespace in VENDORS.items():
            if word in text.lower():
                return namespace
    tag = _TAG.search(package.version)
    return _TAGGED.get(tag[1], "") if tag else ""
