"""A verdict that still holds is used again, and says so; and scanners that know the rest of their batch."""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from entrepot.catalog.imports import StoredVerdict
from entrepot.contracts import Artifact, ScanContext
from entrepot.models import Basis, Finding, Status, Verdict
from support.odd_scanners import scanners_plugin
from support.toy import make_toy
from support.toybox import ToyBox

pytestmark = pytest.mark.isolated("careful")


@dataclass
class Careful:
    """Counts in a file how often it looked; what it says and stands on can be changed."""

    seen: Path
    isolated: bool = True
    name: str = "careful"
    answers: str = "careful"
    version: str = "1"
    known: str = "monday"
    status: Status = Status.WARN
    fail: bool = False

    def basis(self, context: ScanContext) -> Basis | None:
        if self.fail:
            raise RuntimeError("the tool is not there")
        return Basis("tool 3", self.known) if self.known else None

    def scan(self, artifact: Artifact, context: ScanContext) -> Verdict:
        with self.seen.open("a") as file:
            file.write(artifact.paths[0].name + "\n")
        finding = Finding("big", "low", "it is big", "robot", {"n": 3}, "size")
        return Verdict(self.status, "looked", "at it", "tool", "3", (finding,), {"from": self.known}, self.known)

    @property
    def looks(self) -> int:
        return len(self.seen.read_text().splitlines()) if self.seen.exists() else 0


@dataclass
class Shop:
    """A toy box with the scanner, and what it said last."""

    box: ToyBox
    scanner: Careful
    settings: Path = field(init=False)

    def bring(self, name: str = "robot", to: str = "shop/window") -> StoredVerdict:
        result = self.box.upload(make_toy(self.box.folder, name), to=to).results[0]
        assert result.import_id is not None
        found = self.box.workspace.catalog.imports.verdicts(result.import_id)
        return next(stored for stored in found if stored.scanner == "careful")


@pytest.fixture(params=[True, False], ids=["isolated", "here"])
def shop(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    scanner = Careful(tmp_path / "seen", isolated=request.param)
    box = ToyBox(tmp_path, plugins=[scanners_plugin(scanner)])
    for name in ("door", "yard"):
        box.distribute(name)
    yield Shop(box, scanner)
    box.workspace.close()


def test_a_verdict_on_the_same_basis_is_used_again_and_says_from_where(shop: Shop) -> None:
    first = shop.bring()
    shop.box.clock.advance(days=3)
    second, third = shop.bring(to="shop/door"), shop.bring(to="shop/yard")
    assert shop.scanner.looks == 1
    assert (first.reused_from, first.given_at) == (None, shop.box.clock() - dt.timedelta(days=3))
    rows = list(
        shop.box.workspace.catalog.database.query("SELECT id, created_at FROM verdicts WHERE scanner = 'careful'")
    )
    assert second.reused_from == third.reused_from == rows[0]["id"]
    assert second.given_at == third.given_at == first.given_at
    assert len({row["created_at"] for row in rows}) == 2
    assert second.verdict == first.verdict
    assert second.basis == first.basis != ""


def newer_version(scanner: Careful) -> None:
    scanner.version = "2"


def newer_data(scanner: Careful) -> None:
    scanner.known = "tuesday"


def no_basis(scanner: Careful) -> None:
    scanner.known = ""


@pytest.mark.parametrize("change", [newer_version, newer_data, no_basis])
def test_what_stands_on_something_else_is_asked_anew(shop: Shop, change: Callable[[Careful], None]) -> None:
    shop.bring()
    change(shop.scanner)
    assert shop.bring(to="shop/door").reused_from is None
    assert shop.scanner.looks == 2


def test_other_settings_ask_anew(shop: Shop) -> None:
    shop.bring()
    (shop.box.home / "entrepot.toml").write_text("[scanners.careful]\nstrict = true\n")
    shop.box.workspace.close()
    shop.box.workspace = shop.box.opened()
    assert shop.bring(to="shop/door").reused_from is None
    assert shop.scanner.looks == 2


def test_another_artifact_is_looked_at(shop: Shop) -> None:
    shop.bring()
    assert shop.bring("ball").reused_from is None
    assert shop.scanner.looks == 2


def test_an_error_is_never_used_again(shop: Shop) -> None:
    shop.scanner.status = Status.ERROR
    shop.bring()
    assert shop.bring(to="shop/door").reused_from is None
    assert shop.scanner.looks == 2


def test_a_basis_that_fails_is_logged_and_the_package_is_looked_at(
    shop: Shop, caplog: pytest.LogCaptureFixture
) -> None:
    shop.scanner.fail = True
    caplog.set_level(logging.WARNING)
    stored = shop.bring()
    assert (stored.verdict.status, stored.basis) == (Status.WARN, "")
    assert [record.getMessage() for record in caplog.records] == [
        "scanner careful cannot say what its verdict on robot_1_any.toy depends on"
    ]
    assert shop.bring(to="shop/door").reused_from is None


@dataclass
class Sociable:
    """Says who came with a package, and what others had said when it was asked."""

    isolated: bool
    name: str = "sociable"
    answers: str = "company"
    version: str = "1"
    stage: str = "batch"

    def scan(self, artifact: Artifact, context: ScanContext) -> Verdict:
        company = sorted(info.name for info in context.batch)
        return Verdict(Status.PASS, "looked", " ".join(company), evidence={"count": len(context.batch)})


@pytest.mark.parametrize("isolated", [True, False], ids=["isolated", "here"])
def test_a_scanner_of_the_batch_knows_who_else_could_be_read(tmp_path: Path, isolated: bool) -> None:
    box = ToyBox(tmp_path, plugins=[scanners_plugin(Sociable(isolated))])
    unreadable = tmp_path / "wreck_1_any.toy"
    unreadable.write_bytes(b"toys\n")
    results = box.upload(
        *(make_toy(tmp_path, name) for name in ("a", "b")), unreadable, make_toy(tmp_path, "c")
    ).results
    said = {}
    for result in results:
        assert result.import_id is not None
        stored = {item.scanner: item.verdict for item in box.workspace.catalog.imports.verdicts(result.import_id)}
        said[result.package] = (stored["sociable"].message, stored["sociable"].evidence["count"])
    box.workspace.close()
    assert said == {"a": ("b c", 2), "b": ("a c", 2), "wreck_1_any.toy": ("a b c", 3), "c": ("a b", 2)}


def test_verdicts_are_in_the_order_of_their_scanners_whenever_they_were_given(tmp_path: Path) -> None:
    box = ToyBox(tmp_path, plugins=[scanners_plugin(Sociable(isolated=True))])
    result = box.upload(make_toy(tmp_path)).results[0]
    assert list(result.pipeline)[-2:] == ["company", "words"]
    box.workspace.close()
