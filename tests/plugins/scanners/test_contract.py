"""Every scanner that comes with Entrepôt does what a third party's has to do."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

import pytest

from entrepot.contracts import Format, Scanner
from entrepot.plugins import make_plugins
from entrepot.testing import ScannerContract
from entrepot_plugins.apt.format import AptFormat
from entrepot_plugins.scanners.clamav import ClamavScanner
from entrepot_plugins.scanners.contents import ContentsScanner
from entrepot_plugins.scanners.dependencies import DependenciesScanner
from entrepot_plugins.scanners.osv import OsvScanner
from entrepot_plugins.scanners.package_format import PackageFormatScanner
from entrepot_plugins.scanners.signature import SignatureScanner
from support.debs import make_deb

pytestmark = pytest.mark.isolated


class OnDebs(ScannerContract):
    """With a package of Debian's format."""

    def make_format(self) -> Format:
        return AptFormat()

    def make_package(self, folder: Path) -> Sequence[Path]:
        return [make_deb(folder, "robot", files={"usr/share/robot/parts": b"arms\nlegs\n" * 100})]


class TestPackageFormat(OnDebs):
    def make_scanner(self) -> Scanner:
        return PackageFormatScanner()


class TestSignature(OnDebs):
    def make_scanner(self) -> Scanner:
        return SignatureScanner()


class TestContents(OnDebs):
    def make_scanner(self) -> Scanner:
        return ContentsScanner()


class TestClamavWithoutOne(OnDebs):
    """As it is where no ClamAV is installed; what it does with one is tested with a real one."""

    settings: ClassVar[dict[str, str]] = {"config": "/nonexistent/clamd.conf", "clamscan": "/nonexistent/clamscan"}

    def make_scanner(self) -> Scanner:
        return ClamavScanner()


class TestOsv(OnDebs):
    def make_scanner(self) -> Scanner:
        return OsvScanner()


class TestDependencies(OnDebs):
    def make_scanner(self) -> Scanner:
        return DependenciesScanner()


TESTED = (ClamavScanner, PackageFormatScanner, SignatureScanner, ContentsScanner, OsvScanner, DependenciesScanner)


def test_no_scanner_is_left_out() -> None:
    offered = make_plugins(installed=False).scanners.values()
    assert {type(scanner) for scanner in offered} == set(TESTED)
