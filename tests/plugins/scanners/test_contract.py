"""Every scanner that comes with Entrepôt does what a third party's has to do, with packages of both formats."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import ClassVar

import pytest

from entrepot.contracts import AdvisoryHistory, Format, Scanner
from entrepot.models import Status
from entrepot.plugins import make_plugins
from entrepot.testing import ScannerContract
from entrepot_plugins.apt.format import AptFormat
from entrepot_plugins.rpm.format import RpmFormat
from entrepot_plugins.scanners.clamav import ClamavScanner
from entrepot_plugins.scanners.contents import ContentsScanner
from entrepot_plugins.scanners.dependencies import DependenciesScanner
from entrepot_plugins.scanners.osv import OsvScanner
from entrepot_plugins.scanners.package_format import PackageFormatScanner
from entrepot_plugins.scanners.signature import SignatureScanner
from support.advisories import Desk, osv, package
from support.clamd import MARKER, RealClamd
from support.debs import make_deb
from support.rpms import make_rpm

PARTS = b"arms\nlegs\n" * 100


class OnDebs(ScannerContract):
    """With a package of Debian's format, which needs another one that the distribution has."""

    parts: ClassVar[bytes] = PARTS

    def make_format(self) -> Format:
        return AptFormat()

    def make_package(self, folder: Path) -> Sequence[Path]:
        return [make_deb(folder, "robot", depends="battery", files={"usr/share/robot/parts": self.parts})]

    def make_offered(self, folder: Path) -> Sequence[Sequence[Path]]:
        return [[make_deb(folder, "battery")]]


class OnRpms(ScannerContract):
    """With a package of RPM's."""

    parts: ClassVar[bytes] = PARTS

    def make_format(self) -> Format:
        return RpmFormat()

    def make_package(self, folder: Path) -> Sequence[Path]:
        files = {"/usr/share/robot/parts": self.parts}
        return [make_rpm(folder, "robot", arch="x86_64", requires=["battery"], files=files)]

    def make_offered(self, folder: Path) -> Sequence[Sequence[Path]]:
        return [[make_rpm(folder, "battery", arch="x86_64")]]


class PackageFormatContract(ScannerContract):
    def make_scanner(self) -> Scanner:
        return PackageFormatScanner()


class TestPackageFormatOnDebs(PackageFormatContract, OnDebs):
    pass


class TestPackageFormatOnRpms(PackageFormatContract, OnRpms):
    pass


class SignatureContract(ScannerContract):
    def make_scanner(self) -> Scanner:
        return SignatureScanner()


class TestSignatureOnDebs(SignatureContract, OnDebs):
    pass


class TestSignatureOnRpms(SignatureContract, OnRpms):
    pass


class ContentsContract(ScannerContract):
    def make_scanner(self) -> Scanner:
        return ContentsScanner()


class TestContentsOnDebs(ContentsContract, OnDebs):
    pass


class TestContentsOnRpms(ContentsContract, OnRpms):
    pass


class TestClamavWithoutOne(OnDebs):
    """As it is where no ClamAV is installed."""

    settings: ClassVar[dict[str, str]] = {"config": "/nonexistent/clamd.conf", "clamscan": "/nonexistent/clamscan"}

    def make_scanner(self) -> Scanner:
        return ClamavScanner()


class ClamavContract(ScannerContract):
    """With a real clamd, that knows one marker."""

    settings: ClassVar[dict[str, str]] = {}

    @pytest.fixture(autouse=True)
    def known_clamd(self, clamd: RealClamd) -> None:
        type(self).settings = {"socket": str(clamd.socket)}

    def make_scanner(self) -> Scanner:
        return ClamavScanner()


class TestClamavOnDebs(ClamavContract, OnDebs):
    def test_it_has_looked(self, tmp_path: Path) -> None:
        assert self._scan(tmp_path).reason == "clean"


class TestClamavOnRpms(ClamavContract, OnRpms):
    def test_it_has_looked(self, tmp_path: Path) -> None:
        assert self._scan(tmp_path).reason == "clean"


class TestClamavOnWhatIsInfected(ClamavContract, OnRpms):
    parts: ClassVar[bytes] = PARTS + MARKER

    def test_it_has_found_it(self, tmp_path: Path) -> None:
        assert self._scan(tmp_path).status is Status.BLOCK


class OsvContract(ScannerContract):
    """With advisories that are about the package, and become more."""

    settings: ClassVar[dict[str, list[str]]] = {"ecosystem": ["Debian:12", "AlmaLinux:9"]}

    @pytest.fixture(autouse=True)
    def shared_desk(self, vulnerability_desk: KnowingDesk) -> None:
        self._desk = vulnerability_desk

    def make_scanner(self) -> Scanner:
        return OsvScanner()

    def make_advisories(self, folder: Path) -> AdvisoryHistory:
        return self._desk.workspace.catalog.lookup()

    def change_what_it_knows(self, folder: Path) -> bool:
        self._desk.know_more()
        return True

    def test_it_has_found_something(self, tmp_path: Path) -> None:
        assert self._scan(tmp_path).reason == "findings"


class TestOsvOnDebs(OsvContract, OnDebs):
    pass


class TestOsvOnRpms(OsvContract, OnRpms):
    pass


class DependenciesContract(ScannerContract):
    def make_scanner(self) -> Scanner:
        return DependenciesScanner()

    def test_it_has_seen_what_the_distribution_has(self, tmp_path: Path) -> None:
        verdict = self._scan(tmp_path)
        assert (verdict.status, verdict.reason) == (Status.PASS, "satisfied")
        assert "distribution 1" in verdict.evidence.values()


class TestDependenciesOnDebs(DependenciesContract, OnDebs):
    pass


class TestDependenciesOnRpms(DependenciesContract, OnRpms):
    pass


class KnowingDesk(Desk):
    """Knows of one vulnerability of a robot, of either format, and of one more whenever it is asked to."""

    known = 0

    def know_more(self) -> None:
        self.known += 1
        affected = [package(ecosystem, "robot") for ecosystem in ("Debian:12", "AlmaLinux:9")]
        self.load("robots", *(osv(f"CVE-2026-{1000 + number}", *affected) for number in range(self.known)))


@pytest.fixture(scope="module")
def vulnerability_desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KnowingDesk]:
    desk = KnowingDesk(tmp_path_factory.mktemp("desk"))
    desk.know_more()
    yield desk
    desk.close()


TESTED = (ClamavScanner, PackageFormatScanner, SignatureScanner, ContentsScanner, OsvScanner, DependenciesScanner)


def test_no_scanner_is_left_out() -> None:
    offered = make_plugins(installed=False).scanners.values()
    assert {type(scanner) for scanner in offered} == set(TESTED)
