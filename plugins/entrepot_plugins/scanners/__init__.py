"""The scanners that come with Entrepôt and need nothing besides it."""

from __future__ import annotations

from collections.abc import Iterable

from entrepot.contracts import Scanner
from entrepot.hookspecs import hookimpl
from entrepot_plugins.scanners.package_format import PackageFormatScanner
from entrepot_plugins.scanners.provenance import ProvenanceScanner


@hookimpl
def register_scanners() -> Iterable[Scanner]:
    """``format`` and ``provenance``."""
    return [PackageFormatScanner(), ProvenanceScanner()]
