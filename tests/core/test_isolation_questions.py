"""Isolated scanners ask for what is in the catalog: the command answers, and believes nothing that it is asked."""

from __future__ import annotations

import json
import os
import pickle
import signal
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from entrepot.contracts import Artifact, Candidate, Closure, ScanContext
from entrepot.isolation import clerk
from entrepot.isolation.clerk import Clerk
from entrepot.isolation.messages import HEAD, MAX_TEXTS, QUESTION, BadAnswerError
from entrepot.models import Distribution, Scalar, Status, Verdict
from entrepot.pipeline.offers import CatalogOffers
from entrepot.pipeline.panel import Asked
from entrepot.services import imports, repositories
from entrepot_plugins.apt.solver import AptSolver
from support import odd_scanners as odd
from support.apt_upstream import AptUpstream
from support.debs import make_deb
from support.odd_scanners import Odd, Scan, scanners_plugin
from support.panels import panel_of, toy_case
from support.workspaces import REPOSITORY, Depot

pytestmark = pytest.mark.isolated

STABLE = f"{REPOSITORY}/stable"


def frame(*question: Any, length: int | None = None) -> bytes:
    """A question as a worker sends it."""
    body = json.dumps(question).encode()
    return HEAD.pack((len(body) if length is None else length) | QUESTION) + body


def curious(artifact: Artifact, context: ScanContext) -> Verdict:
    """Asks everything that there is to ask, and tells the answers and its process as evidence."""
    around, advisories = context.surroundings, context.advisories
    assert around
    assert advisories
    assert context.info
    pool = around.pool("amd64", context.batch)
    found = [*pool.named(["libc6"]), *pool.providing(["libc-dev"])]
    evidence: dict[str, Scalar] = {
        "pid": os.getpid(),
        "machines": " ".join(around.machines(context.info)),
        "unsynced": " ".join(around.unsynced()),
        "found": " ".join(str(candidate) for candidate in found),
        "origin": around.origin(found[0]),
        "everything": len(list(pool.everything())),
        "ecosystems": len(advisories.ecosystems()),
        "affecting": len(advisories.affecting(["Debian:12"], "hello", b"\x01")),
        "facts": len(advisories.facts([f"CVE-2026-{number}" for number in range(2 * MAX_TEXTS)])),
        "offers": len(advisories.offers("apt", "libc6", "amd64", b"")),
    }
    return Verdict(Status.PASS, "fine", evidence=evidence)


@pytest.fixture
def depot(tmp_path: Path) -> Iterator[Depot]:
    """A distribution on a base source, and the isolated scanner ``odd``, which does what ``behave`` is set to."""
    depot = Depot(tmp_path / "depot", plugins=[scanners_plugin(Odd("odd", _behave))])
    upstream = AptUpstream(tmp_path / "base")
    upstream.add(make_deb(tmp_path, "libc6", "2.36-9"), make_deb(tmp_path, "musl-dev", fields={"Provides": "libc-dev"}))
    upstream.write()
    depot.follow(upstream.draft(upstream.root.as_uri(), name="base"))
    repositories.create_distribution(depot.workspace, STABLE, architectures=["amd64"], base_sources=["base"])
    yield depot
    depot.close()


_behaviour: dict[str, Scan] = {}


def _behave(artifact: Artifact, context: ScanContext) -> Any:
    assert context.info
    return _behaviour.get(context.info.name, curious)(artifact, context)


def verdicts(depot: Depot, *packages: Path) -> dict[str, Verdict]:
    """What ``odd`` says of packages that come in together, by name; every other scanner has to have an answer."""
    batch = imports.upload(depot.workspace, packages, STABLE, publish_after=False)
    found = {}
    for result in batch.results:
        assert result.import_id
        said = {stored.scanner: stored.verdict for stored in depot.workspace.catalog.imports.verdicts(result.import_id)}
        assert [name for name, verdict in said.items() if verdict.status is Status.ERROR and name != "odd"] == []
        found[result.package] = said["odd"]
    return found


def test_a_scanner_in_another_process_asks_for_packages_and_advisories(depot: Depot, tmp_path: Path) -> None:
    evidence = dict(verdicts(depot, make_deb(tmp_path, "hello"))["hello"].evidence)
    assert evidence.pop("pid") != os.getpid()
    assert evidence == {
        "machines": "amd64",
        "unsynced": "",
        "found": "libc6:amd64=2.36-9 musl-dev:amd64=1.0-1",
        "origin": "base",
        "everything": 2,
        "ecosystems": 0,
        "affecting": 0,
        "facts": 0,
        "offers": 1,
    }


def dies_asking(artifact: Artifact, context: ScanContext) -> Verdict:
    odd.channel().sendall(frame("named", ["libc6"], ["amd64"]))
    os.kill(os.getpid(), signal.SIGSEGV)
    odd.for_ever()


def test_a_scanner_that_dies_while_it_asks_leaves_the_batch_whole(
    depot: Depot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(_behaviour, "second", dies_asking)
    said = verdicts(depot, *(make_deb(tmp_path, name) for name in ("first", "second", "third")))
    assert {name: verdict.reason for name, verdict in said.items()} == {
        "first": "fine",
        "second": "crashed",
        "third": "fine",
    }
    assert "SIGSEGV" in said["second"].message


def test_a_crash_of_the_solver_is_an_error_of_one_package(
    depot: Depot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The scanner ``dependencies`` runs in a process of its own, which libsolv can end without a word."""
    command, closure = os.getpid(), AptSolver.closure

    def crash(self: AptSolver, wanted: Sequence[Candidate], *others: Any, **more: Any) -> Closure:
        assert os.getpid() != command
        if wanted[0].name == "second":
            os.kill(os.getpid(), signal.SIGSEGV)
        return closure(self, wanted, *others, **more)

    monkeypatch.setattr(AptSolver, "closure", crash)
    packages = [make_deb(tmp_path, name, depends="libc6") for name in ("first", "second", "third")]
    results = imports.upload(depot.workspace, packages, STABLE, publish_after=False).results
    assert {result.package: result.pipeline["dependencies"] for result in results} == {
        "first": "satisfied",
        "second": "crashed",
        "third": "satisfied",
    }


@pytest.fixture
def offers(depot: Depot) -> Iterator[CatalogOffers]:
    """What the distribution has."""
    catalog = depot.workspace.catalog
    offers = CatalogOffers(lambda: catalog.path, catalog.repositories.distribution(STABLE))
    yield offers
    offers.close()


def says(folder: Path, offers: CatalogOffers, scan: Scan, timeout: int = 60) -> tuple[Status, str, str]:
    """What becomes of a toy that this scanner is asked about."""

    def of(_: Distribution) -> CatalogOffers:
        return offers

    with panel_of(folder, Odd("odd", scan), offers=of, timeout=timeout) as panel:
        (stored,) = panel.ask(toy_case(folder))
    return stored.verdict.status, stored.verdict.reason, stored.verdict.message


@pytest.mark.parametrize(
    ("data", "reason", "message"),
    [
        (frame("drop"), "bad_answer", "it asks what nobody can ask"),
        (frame("named", "libc6", ["amd64"]), "bad_answer", "not a list, or a long one"),
        (frame("ecosystems"), "bad_answer", "it asks what nobody can ask"),
        (frame("moment") + frame("moment"), "bad_answer", "it goes on after its end"),
        (frame("moment", length=1 << 40), "flooded", "64 KiB are allowed"),
    ],
)
def test_a_scanner_that_asks_nonsense_is_an_error(
    tmp_path: Path, offers: CatalogOffers, data: bytes, reason: str, message: str
) -> None:
    status, why, said = says(tmp_path, offers, odd.say_raw(data))
    assert (status, why) == (Status.ERROR, reason)
    assert message in said


def test_a_scanner_that_asks_while_other_packages_wait_for_it_gets_its_answers(
    tmp_path: Path, offers: CatalogOffers
) -> None:
    def scan(artifact: Artifact, context: ScanContext) -> Verdict:
        assert context.surroundings
        return Verdict(Status.PASS, " ".join(str(item) for item in context.surroundings.pool("amd64").everything()))

    with panel_of(tmp_path, Odd("odd", scan), offers=lambda _: offers) as panel:
        said = panel.ask_about([Asked(toy_case(tmp_path, f"toy{number}")) for number in range(3)])
    assert [stored.verdict.reason for (stored,) in said] == ["libc6:amd64=2.36-9 musl-dev:amd64=1.0-1"] * 3


def asks_for_ever(artifact: Artifact, context: ScanContext) -> Verdict:
    assert context.surroundings
    while True:
        list(context.surroundings.pool("any").everything())


def test_a_scanner_that_asks_without_end_is_an_error(
    tmp_path: Path, offers: CatalogOffers, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert says(tmp_path, offers, asks_for_ever, timeout=1)[:2] == (Status.ERROR, "timed_out")
    monkeypatch.setattr(clerk, "MAX_QUESTIONS", 20)
    assert says(tmp_path, offers, asks_for_ever) == (Status.ERROR, "flooded", "it asked more than 20 questions")


@pytest.mark.parametrize(
    "question",
    [
        ["named"],
        ["named", ["a"], ["b"], ["c"]],
        ["named", [1], ["amd64"]],
        ["named", ["\ud800"], ["amd64"]],
        ["named", ["x" * (clerk.MAX_TEXT + 1)], ["amd64"]],
        ["named", ["x"] * (MAX_TEXTS + 1), ["amd64"]],
        ["sources", [1 << 63]],
        ["sources", [True]],
        ["affecting", ["Debian:12"], "hello", "no hex"],
        ["told", 2, ["hello"]],
        ["tells", None],
        [["named"]],
        [],
        {"named": 1},
        "named",
        7,
    ],
    ids=lambda question: json.dumps(question)[:40],
)
def test_what_is_no_question_gets_no_answer(depot: Depot, offers: CatalogOffers, question: Any) -> None:
    catalog = depot.workspace.catalog
    asked = Clerk(catalog.sources.get("base"), offers, catalog.lookup())
    with pytest.raises(BadAnswerError, match="it asks what nobody can ask"):
        asked.answer(json.dumps(question).encode())


def test_more_than_memory_should_hold_is_refused_and_told(
    offers: CatalogOffers, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask = partial(Clerk(None, offers, None).answer, b'["named",["libc6"],["amd64"]]')
    answered, (candidate,) = pickle.loads(ask())
    assert (answered, str(candidate)) == (True, "libc6:amd64=2.36-9")
    monkeypatch.setattr(clerk, "MAX_REPLY", 10)
    answered, message = pickle.loads(ask())
    assert not answered
    assert message.startswith("packages called libc6 and alike have more than")
