"""Isolated scanners: whatever one does, it is an error that says what happened, and everything else goes on."""

from __future__ import annotations

import logging
import os
import sys
from pathlib import Path

import pytest

from entrepot.contracts import Artifact, ScanContext
from entrepot.isolation.messages import HEAD
from entrepot.models import Finding, Scalar, Status, Verdict
from entrepot.pipeline.panel import Asked, Panel
from support import odd_scanners as odd
from support.odd_scanners import Odd, Scan
from support.panels import panel_of, toy_case

pytestmark = pytest.mark.isolated


def ask(folder: Path, scan: Scan) -> Verdict:
    """What a scanner says of a toy, while another one beside it passes it."""
    before = children()
    with panel_of(folder, Odd("odd", scan), Odd("other", odd.fine)) as panel:
        stored = {item.scanner: item.verdict for item in panel.ask(toy_case(folder))}
    assert stored["other"].status is Status.PASS
    assert children() == before
    return stored["odd"]


def children() -> set[str]:
    """The processes that this one has started and not waited for; other tests may have servers."""
    return {path.parent.name for path in Path("/proc").glob("[0-9]*/stat") if _parent(path) == os.getpid()}


def _parent(path: Path) -> int:
    try:
        return int(path.read_text().rpartition(")")[2].split()[1])
    except OSError:
        return 0


@pytest.mark.parametrize(
    ("scan", "reason", "message"),
    [
        (odd.segfault, "crashed", "its process crashed (SIGSEGV)"),
        (odd.null_pointer, "crashed", "its process crashed (SIGSEGV)"),
        (odd.leave, "crashed", "its process ended with status 0 and no answer"),
        (odd.leave_politely, "scanner_failed", "SystemExit: I do not like it here"),
        (odd.killed, "out_of_memory", "was killed (SIGKILL)"),
        (odd.eat_memory, "out_of_memory", "it took more than the 200 MiB of memory that it may have"),
        (odd.map_memory, "scanner_failed", "Cannot allocate memory"),
        (odd.flood_output, "flooded", "it wrote more than 64 KiB to its output"),
        (odd.flood_errors, "flooded", "it wrote more than 64 KiB to its output"),
        (odd.flood_through_child, "flooded", "it wrote more than 64 KiB to its output"),
        (odd.long_answer, "flooded", "its answer has 8388"),
        (odd.fill_descriptors, "scanner_failed", "Too many open files"),
        (odd.close_connection, "bad_answer", "it closed the connection on which it has to answer"),
        (odd.say_raw(HEAD.pack(1 << 60)), "flooded", "its answer has 1152921504606846976 bytes"),
    ],
)
def test_what_a_scanner_does_instead_of_answering_is_an_error_that_says_what(
    tmp_path: Path, scan: Scan, reason: str, message: str
) -> None:
    verdict = ask(tmp_path, scan)
    assert (verdict.status, verdict.reason) == (Status.ERROR, reason)
    assert message in verdict.message


@pytest.mark.parametrize("scan", [odd.hang, odd.hang_deaf])
def test_a_scanner_that_hangs_is_ended(tmp_path: Path, scan: Scan) -> None:
    before = children()
    with panel_of(tmp_path, Odd("odd", scan), timeout=1) as panel:
        (stored,) = panel.ask(toy_case(tmp_path))
    assert (stored.verdict.status, stored.verdict.reason) == (Status.ERROR, "timed_out")
    assert stored.verdict.message == "it did not answer within 1 seconds, and was ended"
    assert children() == before


@pytest.mark.parametrize(
    ("scan", "message"),
    [
        (odd.say(b"pass"), "it is no JSON"),
        (odd.say(b""), "it is no JSON"),
        (odd.say(b"[" * 60000), "it is no JSON"),
        (odd.say(b'{"verdict": NaN}'), "it is no JSON: NaN is no whole number"),
        (odd.say(b'["pass"]'), "it is not one object with one key"),
        (odd.say(b'{"basis": null}'), "'basis' is no answer to 'scan'"),
        (odd.say(b'{"failure": ["fine", "", ""]}'), "'fine' is no reason for a failure"),
        (odd.say(b'{"failure": ["scanner_failed", 1, ""]}'), "it is not a list of 3 texts"),
        (odd.say_verdict(status="passed"), "status 'passed' is none of pass, warn"),
        (odd.say_verdict(status="absent"), "status 'absent' is none of pass, warn"),
        (odd.say_verdict(status=["pass"]), "status ['pass'] is none of pass, warn"),
        (odd.say_verdict(message=...), "the verdict has not the keys"),
        (odd.say_verdict(admin=True), "the verdict has not the keys"),
        (odd.say_verdict(reason=None), "the verdict's reason is NoneType, not a text"),
        (odd.say_verdict(findings={}), "findings is no list"),
        (odd.say_verdict(findings=[{"id": "a"}]), "a finding has not the keys"),
        (odd.say_verdict(evidence={"a": [1]}), "evidence has a list under 'a'"),
        (odd.say_verdict(evidence={"a": 0.5}), "it is no JSON: 0.5 is no whole number"),
        (odd.say_raw(HEAD.pack(2) + b"{}{}"), "it goes on after its end"),
    ],
)
def test_an_answer_of_a_wrong_form_is_never_believed(tmp_path: Path, scan: Scan, message: str) -> None:
    verdict = ask(tmp_path, scan)
    assert (verdict.status, verdict.reason) == (Status.ERROR, "bad_answer")
    assert message in verdict.message


def test_what_a_scanner_prints_is_told_printable_and_is_no_fault(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "entrepot")
    assert ask(tmp_path, odd.chat).status is Status.PASS
    told = [record.getMessage() for record in caplog.records]
    assert told == [r"scanner odd wrote about robot_1_any.toy: looking at it \x1b[31m" + "\nstill looking"]


def test_what_a_scanner_printed_before_it_failed_is_evidence(tmp_path: Path) -> None:
    def scan(artifact: Artifact, context: ScanContext) -> Verdict:
        sys.stdout.write("page fault at 0\n")
        return odd.segfault(artifact, context)

    assert ask(tmp_path, scan).evidence == {"output": "page fault at 0"}


def test_where_a_scanner_failed_is_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert ask(tmp_path, odd.leave_politely).reason == "scanner_failed"
    assert caplog.records[0].getMessage() == "scanner odd failed on robot_1_any.toy"
    assert "in leave_politely" in caplog.text


@pytest.mark.parametrize("isolated", [True, False])
def test_of_secrets_that_a_failure_quotes_nothing_is_kept_or_logged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, isolated: bool
) -> None:
    def scan(artifact: Artifact, context: ScanContext) -> Verdict:
        sys.stdout.write("using hunter2\n" if isolated else "")
        head = "GET https://me:hunter2@example.org/scan?auth_token=hunter2&page=3"
        try:
            raise KeyError("{'Authorization': 'Bearer hunter2', 'X-Api-Key': 'hunter2'}")
        except KeyError as error:
            raise RuntimeError(f"{head} with {context.settings['login']['password']}") from error

    caplog.set_level(logging.INFO, "entrepot")
    scanner = Odd("odd", scan)
    scanner.isolated = isolated
    with panel_of(tmp_path, scanner, settings={"odd": {"login": {"password": "hunter2"}}}) as panel:
        (stored,) = panel.ask(toy_case(tmp_path))
    assert stored.verdict.message == "RuntimeError: GET https://example.org/scan?auth_token=***&page=3 with ***"
    assert "hunter2" not in f"{stored} {caplog.text}"
    assert "in scan" in caplog.text


def test_what_one_package_breaks_harms_no_other(tmp_path: Path) -> None:
    def scan(artifact: Artifact, context: ScanContext) -> Verdict:
        assert context.info
        ends = {"toy1": odd.segfault, "toy3": odd.fill_descriptors, "toy5": odd.eat_memory}
        return ends.get(context.info.name, odd.fine)(artifact, context)

    with panel_of(tmp_path, Odd("odd", scan), workers=1) as panel:
        said = ask_together(panel, tmp_path, 7)
    assert [number for number, verdict in enumerate(said) if verdict.status is Status.ERROR] == [1, 3, 5]


def ask_together(panel: Panel, folder: Path, count: int) -> list[Verdict]:
    """What the scanner of a panel says of toys that it is asked about at once, toy0 and so on."""
    asked = [Asked(toy_case(folder, f"toy{number}")) for number in range(count)]
    return [stored.verdict for (stored,) in panel.ask_about(asked)]


def test_a_package_that_hangs_takes_only_its_own_time(tmp_path: Path) -> None:
    def scan(artifact: Artifact, context: ScanContext) -> Verdict:
        assert context.info
        return (odd.hang if context.info.name == "toy1" else odd.fine)(artifact, context)

    with panel_of(tmp_path, Odd("odd", scan), workers=1, timeout=1) as panel:
        said = ask_together(panel, tmp_path, 4)
    assert [verdict.reason for verdict in said] == ["fine", "timed_out", "fine", "fine"]


def test_what_a_scanner_prints_is_told_of_the_package_that_it_prints_about(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def scan(artifact: Artifact, context: ScanContext) -> Verdict:
        assert context.info
        if context.info.name in ("toy1", "toy2"):
            sys.stdout.write(f"this is {context.info.name}\n")
        return (odd.segfault if context.info.name == "toy2" else odd.fine)(artifact, context)

    caplog.set_level(logging.INFO, "entrepot")
    with panel_of(tmp_path, Odd("odd", scan), workers=1) as panel:
        said = ask_together(panel, tmp_path, 4)
    assert [verdict.reason for verdict in said] == ["fine", "fine", "crashed", "fine"]
    assert said[2].evidence == {"output": "this is toy2"}
    told = [record.getMessage() for record in caplog.records if "wrote about" in record.getMessage()]
    assert told == [f"scanner odd wrote about toy{n}_1_any.toy: this is toy{n}" for n in (1, 2)]


def process(artifact: Artifact, context: ScanContext) -> Verdict:
    """Says in which process it is asked."""
    return Verdict(Status.PASS, "fine", evidence={"pid": os.getpid()})


class Thinker(Odd):
    """A scanner that reads no files."""

    reads_files = False


@pytest.mark.parametrize(
    ("kind", "serve", "processes"), [(Odd, 1, 4), (Odd, 2, 2), (Odd, 1000, 1), (Thinker, 1, 4), (Thinker, 2, 1)]
)
def test_a_process_serves_as_many_packages_as_it_may(
    tmp_path: Path, kind: type[Odd], serve: int, processes: int
) -> None:
    with panel_of(tmp_path, kind("odd", process), workers=1, serve=serve) as panel:
        said = [verdict.evidence["pid"] for verdict in ask_together(panel, tmp_path, 4)]
    assert len(set(said)) == processes


def test_no_two_scanners_share_a_process(tmp_path: Path) -> None:
    with panel_of(tmp_path, *(Odd(name, process) for name in "abc"), workers=1) as panel:
        said = [stored.verdict.evidence["pid"] for _ in range(2) for stored in panel.ask(toy_case(tmp_path))]
    assert len(set(said)) == 3
    assert os.getpid() not in said


def test_a_scanner_that_is_not_to_be_isolated_starts_no_process(tmp_path: Path) -> None:
    before = children()

    def scan(artifact: Artifact, context: ScanContext) -> Verdict:
        return Verdict(Status.PASS, "fine", evidence={"pid": os.getpid(), "children": len(children() - before)})

    scanner = Odd("odd", scan)
    scanner.isolated = False
    assert ask_alone(tmp_path, scanner).evidence == {"pid": os.getpid(), "children": 0}


def ask_alone(folder: Path, scanner: Odd) -> Verdict:
    with panel_of(folder, scanner) as panel:
        return panel.ask(toy_case(folder))[0].verdict


def test_a_scanner_has_nothing_open_of_the_commands_files(tmp_path: Path) -> None:
    def scan(artifact: Artifact, context: ScanContext) -> Verdict:
        with os.scandir("/proc/self/fd") as found:
            opened = {os.readlink(entry.path) for entry in found if int(entry.name) > 2}
        usable = {
            name for name in opened if not name.startswith(("socket:", "/proc/")) and name not in ("/", "/dev/null")
        }
        evidence: dict[str, Scalar] = {
            "files": " ".join(usable),
            "folder": str(context.folder) == str(Path.cwd()) and not list(context.folder.iterdir()),
            "session": os.getsid(0) == os.getpid(),
            "input": os.read(0, 1).decode(),
            "settings": str(context.settings["word"]),
            "format": context.format.name,
        }
        return Verdict(Status.PASS, "fine", evidence=evidence)

    with (
        (tmp_path / "held").open("w") as held,
        panel_of(tmp_path, Odd("odd", scan), settings={"odd": {"word": "beep"}}) as panel,
    ):
        verdict = panel.ask(toy_case(tmp_path))[0].verdict
        held.write("still ours")
    assert verdict.evidence == {
        "files": "",
        "folder": True,
        "session": True,
        "input": "",
        "settings": "beep",
        "format": "toy",
    }
    assert (tmp_path / "held").read_text() == "still ours"


def test_what_it_leaves_in_its_folder_is_gone_before_the_next_package(tmp_path: Path) -> None:
    def scan(artifact: Artifact, context: ScanContext) -> Verdict:
        found = sorted(path.name for path in context.folder.iterdir())
        (context.folder / "deep").mkdir()
        (context.folder / "deep/left").write_text("x")
        return Verdict(Status.PASS, "fine", findings=tuple(Finding(name, "low", "left") for name in found))

    with panel_of(tmp_path, Odd("odd", scan)) as panel:
        found = [verdict.findings for verdict in ask_together(panel, tmp_path, 3)]
        found += [verdict.findings for verdict in ask_together(panel, tmp_path, 1)]
    assert found == [()] * 4
    assert list((tmp_path / "scratch").rglob("left")) == []


@pytest.mark.parametrize(("then", "reason"), [(odd.fine, "fine"), (odd.hang, "timed_out"), (odd.segfault, "crashed")])
def test_no_process_that_a_scanner_started_outlives_the_batch(tmp_path: Path, then: Scan, reason: str) -> None:
    pids = tmp_path / "pids"
    with panel_of(tmp_path, Odd("odd", odd.with_children(pids, then)), timeout=1 if then is odd.hang else 60) as panel:
        assert panel.ask(toy_case(tmp_path))[0].verdict.reason == reason
    started = pids.read_text().split()
    assert len(started) == 3
    assert [pid for pid in started if Path("/proc", pid).exists()] == []


def test_scanners_of_one_package_run_side_by_side(tmp_path: Path) -> None:
    """Each waits for the other to have begun: one after the other, both would run into their time-out."""

    def meet(mine: str, other: str) -> Scan:
        def scan(artifact: Artifact, context: ScanContext) -> Verdict:
            (tmp_path / mine).touch()
            while not (tmp_path / other).exists():
                os.sched_yield()
            return odd.FINE

        return scan

    with panel_of(tmp_path, Odd("a", meet("a", "b")), Odd("b", meet("b", "a"))) as panel:
        assert [stored.verdict.reason for stored in panel.ask(toy_case(tmp_path))] == ["fine", "fine"]
