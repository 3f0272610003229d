"""The scanners that come with Entrepôt."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from entrepot.hookspecs import hookimpl
from entrepot_plugins.scanners.clamav import ClamavScanner
from entrepot_plugins.scanners.contents import ContentsScanner
from entrepot_plugins.scanners.dependencies import DependenciesScanner
from entrepot_plugins.scanners.osv import FORMATS, OsvScanner
from entrepot_plugins.scanners.package_format import PackageFormatScanner
from entrepot_plugins.scanners.signature import SignatureScanner

if TYPE_CHECKING:
    from entrepot.contracts import AdvisoryFormat, Scanner


@hookimpl
def register_scanners() -> Iterable[Scanner]:
    """``clamav``, ``contents``, ``dependencies``, ``format``, ``osv`` and ``signature``."""
    return [
        ClamavScanner(),
        ContentsScanner(),
        DependenciesScanner(),
        PackageFormatScanner(),
        OsvScanner(),
        SignatureScanner(),
    ]


@hookimpl
def register_advisory_formats() -> Iterable[AdvisoryFormat]:
    """What ``osv`` compares with: OSV, the Debian security tracker, and what is known to be exploited."""
    return FORMATS
