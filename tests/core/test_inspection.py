"""Scanners and policies: whatever a scanner does, its silence is never a pass."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, cast

import pytest

from entrepot.contracts import Artifact, ScanContext, Scanner
from entrepot.errors import SettingsError
from entrepot.hookspecs import hookimpl
from entrepot.models import Finding, Status, Verdict
from support.toy import make_toy
from support.toybox import ToyBox


@pytest.fixture
def box(tmp_path: Path) -> Iterator[ToyBox]:
    box = ToyBox(tmp_path)
    yield box
    box.workspace.close()


def test_a_scanner_that_raises_is_an_error_with_its_name(box: ToyBox, caplog: pytest.LogCaptureFixture) -> None:
    result = box.upload(make_toy(box.folder, text="crash")).results[0]
    assert result.pipeline["words"] == "scanner_failed"
    assert result.reasons == (
        "toy-words: error leads to pending_review: RuntimeError: the scanner fell over (policies.soft.error)",
    )
    assert caplog.records[0].getMessage() == "scanner toy-words failed on robot_1_any.toy"


def with_scanner(folder: Path, scan: Callable[[], Any], settings: str = "", policy: str = "soft") -> ToyBox:
    """A toy box with a further scanner that answers whatever it is given."""

    class Odd:
        name = answers = "odd"
        version = "3"

        def scan(self, artifact: Artifact, context: ScanContext) -> Any:
            return scan()

        @hookimpl
        def register_scanners(self) -> Iterable[Scanner]:
            return [self]

    return ToyBox(folder, plugins=[("odd", Odd())], settings=settings, policy=policy)


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (None, "TypeError: it answered NoneType, not a verdict"),
        (True, "TypeError: it answered bool, not a verdict"),
        ("pass", "TypeError: it answered str, not a verdict"),
        (Verdict(Status.PASS, "fine", evidence={"path": cast(str, Path("x"))}), "TypeError"),
        (Verdict(Status.PASS, "fine", findings=(Finding("a", "low", "b", data={"c": cast(str, b"d")}),)), "TypeError"),
    ],
    ids=["none", "bool", "text", "evidence", "finding"],
)
def test_an_answer_that_is_no_verdict_is_an_error_and_never_a_pass(tmp_path: Path, answer: Any, message: str) -> None:
    box = with_scanner(tmp_path, lambda: answer)
    result = box.upload(make_toy(tmp_path)).results[0]
    assert result.status == "pending_review"
    assert result.pipeline["odd"] == "scanner_failed"
    assert message in result.reasons[0]
    box.workspace.close()


def test_verdicts_and_findings_are_kept_as_they_were_given(tmp_path: Path) -> None:
    findings = (
        Finding(
            "CVE-2026-1", "high", "reads \x1b[31m too much", "usr/bin/\udcff", {"fixed": "1.2", "score": 7, "kev": True}
        ),
        Finding("setuid", "low", "runs as root", "", {"none": None}),
    )
    verdict = Verdict(Status.WARN, "two_findings", "zwölf 機", "tool", "1.2", findings, {"n": 1, "file": "\udcfe"})
    box = with_scanner(tmp_path, lambda: verdict)
    result = box.upload(make_toy(tmp_path)).results[0]
    assert (result.status, result.findings) == ("published", findings)
    assert result.import_id is not None
    stored = {item.scanner: item for item in box.workspace.catalog.imports.verdicts(result.import_id)}
    assert list(stored) == ["clamav", "contents", "dependencies", "format", "odd", "osv", "signature", "toy-words"]
    read = stored["odd"]
    assert (read.scanner_version, read.answers) == ("3", "odd")
    assert read.verdict.evidence == verdict.evidence
    assert (read.verdict.status, read.verdict.message, read.verdict.tool_version) == (Status.WARN, "zwölf 機", "1.2")
    assert read.verdict.findings[1] == findings[1]
    assert read.verdict.findings[0].where == r"usr/bin/\udcff"
    assert read.verdict.findings[0].data == findings[0].data
    (row,) = box.workspace.catalog.database.query("SELECT state, sha256, policy, actor FROM imports")
    assert row == {"state": "published", "sha256": result.sha256, "policy": "soft", "actor": "tester"}
    box.workspace.close()


def test_a_scanner_that_the_policy_names_and_that_is_not_there_counts_as_failed(tmp_path: Path) -> None:
    box = ToyBox(tmp_path, settings='[policies.careful.antivirus]\nblock = "reject"\n', policy="careful")
    result = box.upload(make_toy(tmp_path)).results[0]
    assert result.status == "pending_review"
    assert result.reasons == (
        "antivirus: absent leads to pending_review: the policy asks for it, and no scanner of this name answered"
        " (policies.soft.error)",
    )
    box.workspace.close()


def test_a_policy_of_the_settings_decides(tmp_path: Path) -> None:
    settings = (
        '[policies.paranoid]\ninherits = "strict"\nwarn = "reject"\n[policies.paranoid.signature]\nwarn = "publish"\n'
        '[policies.paranoid.osv]\nskipped = "publish"\n[policies.paranoid.clamav]\nskipped = "publish"\n'
    )
    box = ToyBox(tmp_path, settings=settings, policy="paranoid")
    assert box.upload(make_toy(tmp_path, "calm")).results[0].status == "published"
    result = box.upload(make_toy(tmp_path, "loud", text="warn")).results[0]
    assert (result.status, result.reasons) == (
        "rejected",
        ("toy-words: warn leads to reject: it says warn (policies.paranoid.warn)",),
    )
    box.workspace.close()


def test_a_policy_that_is_not_there_is_refused_when_a_distribution_is_made(box: ToyBox) -> None:
    with pytest.raises(SettingsError, match="there is no policy called 'lenient'") as caught:
        box.distribute("door", policy="lenient")
    assert caught.value.hint == "known policies: soft, strict"


def test_a_scanner_that_the_settings_skip_is_not_asked(tmp_path: Path) -> None:
    box = with_scanner(tmp_path, lambda: Verdict(Status.BLOCK, "never"), settings='[inspection]\nskip = ["odd"]\n')
    result = box.upload(make_toy(tmp_path)).results[0]
    assert (result.status, "odd" in result.pipeline) == ("published", False)
    box.workspace.close()
