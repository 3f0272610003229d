"""What every scanner has to do."""

from __future__ import annotations

import hashlib
import pickle
import random
import re
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from entrepot.contracts import is_isolated
from entrepot.isolation import OpenServices, ScanServices
from entrepot.isolation.messages import STATUSES, decode, encode
from entrepot.isolation.worker import checked_verdict
from entrepot.models import Status
from entrepot.pipeline.inspect import Subject, read_case
from entrepot.pipeline.panel import ALONE, BATCH
from entrepot.testing._means import NOW, a_distribution, ask
from entrepot.testing._standing import StandingContract, words

FAILURES = frozenset(("scanner_failed", "timed_out", "crashed", "out_of_memory", "flooded", "bad_answer"))
"""Reasons that are given for a scanner that gave no verdict."""


def _flipped(seed: int) -> Callable[[bytes], bytes]:
    def damage(data: bytes) -> bytes:
        chance, damaged = random.Random(seed), bytearray(data)  # noqa: S311 - the same damage every time
        for _ in range(16):
            damaged[chance.randrange(len(damaged))] = chance.randrange(256)
        return bytes(damaged)

    return damage


HOSTILE: Mapping[str, Callable[[bytes], bytes]] = {
    "empty": lambda _: b"",
    "one byte": lambda data: data[:1],
    "cut in the middle": lambda data: data[: len(data) // 2],
    "without its last byte": lambda data: data[:-1],
    "only its head": lambda data: data[:64],
    "head and zeros": lambda data: data[:256] + bytes(1 << 16),
    "head and noise": lambda data: data[:256] + random.Random(1).randbytes(1 << 16),  # noqa: S311
    "zeros": lambda _: bytes(1 << 20),
    "text": lambda _: b"\xff\xfe<html>not a package\x1b[2J</html>" * 1000,
    "with something behind it": lambda data: data + data,
    **{f"damaged {seed}": _flipped(seed) for seed in range(12)},
}
"""What may lie under the name of a package: made of a good one."""


class ScannerContract(StandingContract):
    """Inherit, name the class ``Test...``, and say how to make the scanner and a package that it inspects."""

    # -------------------------------------------------------------------------------------------------- what it is

    def test_it_says_what_it_is(self) -> None:
        scanner = self.make_scanner()
        for text in (scanner.name, scanner.answers, scanner.version):
            assert isinstance(text, str)
            assert text.strip() == text != ""
            assert text.isprintable()
        assert re.fullmatch(r"[a-z][a-z0-9_-]*", scanner.name), "a key of entrepot.toml"
        assert re.fullmatch(r"[a-z][a-z0-9_-]*", scanner.answers), "a key of results"
        assert getattr(scanner, "stage", ALONE) in (ALONE, BATCH)
        assert isinstance(getattr(scanner, "isolated", True), bool)

    # ------------------------------------------------------------------------------------------------ what it says

    def test_a_good_package_has_a_verdict(self, tmp_path: Path) -> None:
        verdict = self._scan(tmp_path)
        assert verdict.status in STATUSES
        assert verdict.status is not Status.ERROR, verdict.message
        assert re.fullmatch(r"[a-z][a-z0-9_]*", verdict.reason), "a short code, not a sentence"

    def test_its_verdict_is_the_same_after_it_was_sent(self, tmp_path: Path) -> None:
        verdict = self._scan(tmp_path)
        assert decode(encode(verdict), "scan") == verdict

    def test_it_says_the_same_from_scan_to_scan(self, tmp_path: Path) -> None:
        first, second = tmp_path / "first", tmp_path / "second"
        first.mkdir()
        second.mkdir()
        found = [self._scan(folder) for folder in (first, second)]
        assert words(found[0]) == words(found[1]), "what changes each time belongs into the evidence"
        assert all(finding.id for finding in found[0].findings)

    # ------------------------------------------------------------------------------------------------ what it does

    def test_it_writes_nothing_outside_of_its_folder(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        case = self._case(tmp_path)
        elsewhere = tmp_path / "elsewhere"
        elsewhere.mkdir()
        monkeypatch.chdir(elsewhere)
        before = _content(case.artifact.paths[0].parent)
        self._scan(tmp_path, case)
        assert _content(case.artifact.paths[0].parent) == before
        assert list(elsewhere.iterdir()) == []

    def test_what_it_is_told_can_be_sent(self, tmp_path: Path) -> None:
        case = self._case(tmp_path)
        assert pickle.loads(pickle.dumps(case)) == case  # noqa: S301 - our own

    def test_it_says_the_same_in_the_pipeline(self, tmp_path: Path) -> None:
        case = self._case(tmp_path)
        with self._panel(tmp_path) as panel:
            stored = ask(panel, case, tmp_path)
        assert stored.verdict.reason not in FAILURES, stored.verdict.message
        if not is_isolated(self.make_scanner()):
            assert stored.verdict == self._scan(tmp_path, case)

    def test_without_a_catalog_it_does_not_fail(self, tmp_path: Path) -> None:
        case = self._case(tmp_path)
        services = ScanServices({case.format: self.make_format()}, {"it": self.make_scanner()}, {"it": self.settings})
        folder = tmp_path / "alone"
        folder.mkdir()
        scanner = services.scanners["it"]
        checked_verdict(scanner.scan(case.artifact, OpenServices(services).context(case, "it", folder)))

    def test_what_cannot_be_read_is_never_passed_and_never_the_end_of_it(self, tmp_path: Path) -> None:
        good = self._case(tmp_path).artifact.paths[0]
        with self._panel(tmp_path) as panel:
            for number, (what, damage) in enumerate(HOSTILE.items()):
                folder = tmp_path / f"hostile-{number}"
                folder.mkdir()
                path = folder / good.name
                path.write_bytes(damage(good.read_bytes()))
                format_ = self.make_format()
                case = read_case(Subject((path,)), format_, a_distribution(format_.name), NOW)
                verdict = ask(panel, case, tmp_path).verdict
                assert verdict.reason not in FAILURES, f"{what}: {verdict.message}"
                if case.info is None:
                    assert verdict.status is not Status.PASS, what


def _content(folder: Path) -> Mapping[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
