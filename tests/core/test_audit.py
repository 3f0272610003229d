"""The audit log tells who did what, and whether anybody has changed what it tells."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from entrepot.catalog.audit import AuditError, verify_lines
from entrepot.errors import ConflictError, UsageError
from entrepot.models import Secrets
from entrepot.services import operations, repositories, sources
from entrepot.services.records import record
from entrepot.workspace import Workspace
from support.toy import make_toy
from support.toybox import ToyBox

UNFENCED = "DROP TRIGGER audit_update; DROP TRIGGER audit_delete;"
FORGE = "UPDATE audit_head SET (entries, digest) = (SELECT count(*), max(digest) FILTER (WHERE id = %s) FROM audit);"


@pytest.fixture
def box(tmp_path: Path) -> Iterator[ToyBox]:
    box = ToyBox(tmp_path)
    box.upload(make_toy(box.folder))
    box.upload(make_toy(box.folder, "ball"))
    yield box
    box.workspace.close()


def entries(box: ToyBox) -> list[dict[str, Any]]:
    """The log, oldest first, details decoded."""
    found = [row | {"detail": json.loads(row["detail"])} for row in box.workspace.catalog.audit.list()]
    return found[::-1]


def tamper(box: ToyBox, script: str) -> None:
    box.workspace.catalog.database.conn.executescript(UNFENCED + script)


# ------------------------------------------------------------------------------------------------------- the chain


def test_the_log_is_one_chain_that_ends_at_its_anchor(box: ToyBox) -> None:
    rows = entries(box)
    end = operations.verify_audit(box.workspace)
    assert (end.entries, end.digest) == (len(rows), rows[-1]["digest"])
    assert operations.audit_head(box.workspace) == end
    assert rows[0]["previous"] == ""
    assert [row["previous"] for row in rows[1:]] == [row["digest"] for row in rows[:-1]]


@pytest.mark.parametrize("statement", ["UPDATE audit SET actor = 'nobody'", "DELETE FROM audit WHERE id = 2"])
def test_the_database_refuses_to_change_it(box: ToyBox, statement: str) -> None:
    with pytest.raises(Exception, match="append-only"):
        box.workspace.catalog.database.execute(statement)
    operations.verify_audit(box.workspace)


@pytest.mark.parametrize(
    ("script", "row"),
    [
        ("UPDATE audit SET actor = 'nobody' WHERE id = 3", 3),
        ("UPDATE audit SET origin = 'elsewhere' WHERE id = 3", 3),
        ("UPDATE audit SET subject = 'other' WHERE id = 1", 1),
        ("UPDATE audit SET detail = '{}' WHERE id = 3", 3),
        ("UPDATE audit SET at = '2020-01-01T00:00:00Z' WHERE id = 3", 3),
        ("UPDATE audit SET digest = 'x' WHERE id = 3", 3),
        ("DELETE FROM audit WHERE id = 3", 4),
        ("DELETE FROM audit WHERE id = 1", 2),
        ("DELETE FROM audit WHERE id = 1; UPDATE audit SET id = id - 1", 1),
        ("DELETE FROM audit WHERE id = 3; UPDATE audit SET id = id - 1 WHERE id > 3", 3),
        ("UPDATE audit SET id = -id WHERE id = 3", -3),
        ("UPDATE audit SET id = 99 WHERE id = 3; UPDATE audit SET id = 3 WHERE id = 4", 3),
    ],
)
def test_what_was_changed_moved_or_taken_out_is_named(box: ToyBox, script: str, row: int) -> None:
    tamper(box, script)
    with pytest.raises(AuditError, match=f"audit entry {row} does not continue") as caught:
        operations.verify_audit(box.workspace)
    assert caught.value.data["row"] == row


def test_an_entry_that_was_slipped_in_is_named(box: ToyBox) -> None:
    count = len(entries(box))
    tamper(
        box, "INSERT INTO audit (at, action, digest, previous) SELECT at, 'x', 'y', digest FROM audit ORDER BY id DESC"
    )
    with pytest.raises(AuditError, match=f"audit entry {count + 1} "):
        operations.verify_audit(box.workspace)


@pytest.mark.parametrize("lost", [1, 2])
def test_an_end_that_was_cut_off_is_missed_now_and_after_further_entries(box: ToyBox, lost: int) -> None:
    count = len(entries(box))
    tamper(box, f"DELETE FROM audit WHERE id > {count - lost}")
    with pytest.raises(AuditError, match=f"the last {lost} (is|are) missing") as caught:
        operations.verify_audit(box.workspace)
    assert caught.value.data["row"] == count - lost + 1
    box.upload(make_toy(box.folder, "kite"))
    with pytest.raises(AuditError, match=f"audit entry {count - lost + 1} does not continue"):
        operations.verify_audit(box.workspace)


@pytest.mark.parametrize("later", [False, True], ids=["at once", "after further entries"])
def test_an_anchor_that_was_moved_is_noticed(box: ToyBox, *, later: bool) -> None:
    count = len(entries(box))
    tamper(box, f"DELETE FROM audit WHERE id = {count}; {FORGE % (count - 1)}")
    if later:
        box.upload(make_toy(box.folder, "kite"))
    with pytest.raises(AuditError, match="anchor of the audit log was not written with"):
        operations.verify_audit(box.workspace)


@pytest.mark.parametrize("later", [False, True], ids=["at once", "after further entries"])
def test_a_log_that_was_emptied_is_noticed(box: ToyBox, *, later: bool) -> None:
    tamper(box, "DELETE FROM audit; DELETE FROM audit_head")
    if later:
        box.upload(make_toy(box.folder, "kite"))
    with pytest.raises(AuditError):
        operations.verify_audit(box.workspace)


def test_a_key_that_is_gone_is_named_and_one_that_is_back_is_believed(box: ToyBox) -> None:
    key = box.home / "secrets" / "audit.key"
    assert key.stat().st_mode & 0o777 == 0o600
    kept = key.read_bytes()
    key.unlink()
    with pytest.raises(AuditError, match=r"audit\.key"):
        operations.verify_audit(box.workspace)
    key.write_bytes(kept)
    operations.verify_audit(box.workspace)
    key.write_bytes(bytes(32))
    with pytest.raises(AuditError, match="was not written with"):
        operations.verify_audit(box.workspace)


@pytest.mark.parametrize("lost", ["gone", "another"])
def test_a_log_whose_key_is_lost_gets_a_new_anchor_that_is_told_for_good(box: ToyBox, lost: str) -> None:
    key = box.home / "secrets" / "audit.key"
    before = operations.audit_head(box.workspace)
    key.unlink()
    if lost == "another":
        key.write_bytes(bytes(32))
    with pytest.raises(UsageError, match="needs a reason"):
        operations.anchor_audit(box.workspace, " ")
    operations.anchor_audit(box.workspace, "the disk broke")
    box.upload(make_toy(box.folder, "kite"))
    end = operations.verify_audit(box.workspace, before.digest)
    assert end.anchored_again == (before.entries + 1,)
    (entry,) = [row for row in entries(box) if row["action"] == "audit.anchor"]
    assert (entry["actor"], entry["subject"]) == ("tester", "audit log")
    assert entry["detail"] == {"reason": "the disk broke", "entries": before.entries, "digest": before.digest}
    assert key.stat().st_mode & 0o777 == 0o600
    assert [path.name for path in key.parent.glob("audit.key.*")] == (
        [f"audit.key.until-{before.entries}"] if lost == "another" else []
    )
    assert verify_lines(operations.export_audit(box.workspace), "export").anchored_again == end.anchored_again


def test_a_log_that_holds_or_is_broken_gets_no_new_anchor(box: ToyBox) -> None:
    with pytest.raises(ConflictError, match="needs no new anchor"):
        operations.anchor_audit(box.workspace, "why not")
    operations.verify_audit(box.workspace)
    (box.home / "secrets" / "audit.key").unlink()
    tamper(box, "DELETE FROM audit WHERE id = (SELECT max(id) FROM audit)")
    with pytest.raises(AuditError, match="is missing"):
        operations.anchor_audit(box.workspace, "to hide it")
    assert not (box.home / "secrets" / "audit.key").exists()


def test_a_head_that_was_noted_elsewhere_tells_a_log_that_was_written_anew(box: ToyBox) -> None:
    noted = operations.audit_head(box.workspace).digest
    box.upload(make_toy(box.folder, "kite"))
    assert operations.verify_audit(box.workspace, noted).entries > 6
    with pytest.raises(AuditError, match="no audit entry has the digest"):
        operations.verify_audit(box.workspace, "0" * 64)


def fails_after_an_entry(box: ToyBox) -> None:
    with box.workspace.catalog.transaction():
        record(box.workspace, "test", "nothing", {})
        raise ZeroDivisionError


def test_what_is_rolled_back_leaves_no_entry_and_no_gap(box: ToyBox) -> None:
    before = operations.verify_audit(box.workspace)
    with pytest.raises(ZeroDivisionError):
        fails_after_an_entry(box)
    assert operations.verify_audit(box.workspace) == before
    box.upload(make_toy(box.folder, "kite"))
    assert operations.verify_audit(box.workspace).entries > before.entries


# ------------------------------------------------------------------------------------------------------- exports


def test_an_export_can_be_verified_alone(box: ToyBox, tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    path.write_text("".join(f"{line}\n" for line in operations.export_audit(box.workspace)))
    assert operations.verify_export(path).digest == operations.audit_head(box.workspace).digest
    assert operations.verify_export(path, entries(box)[2]["digest"]).entries == len(entries(box))


@pytest.mark.parametrize("since", ["5", "2026-03-02", "2026-03-02T10:00+00:00", "2026-03-02T11:00:00+02:00"])
def test_an_export_may_begin_after_an_id_or_at_a_moment(box: ToyBox, since: str) -> None:
    held = len(entries(box))
    box.clock.advance(hours=22)
    repositories.set_repository(box.workspace, "shop", {"label": "Toys"})
    lines = list(operations.export_audit(box.workspace, since))
    first = 6 if since == "5" else held + 1
    assert [json.loads(line)["id"] for line in lines] == list(range(first, held + 2))
    assert verify_lines(lines, "export").entries == len(lines)
    assert list(operations.export_audit(box.workspace, "2026-03-03")) == []


def test_a_date_that_is_none_is_refused(box: ToyBox) -> None:
    with pytest.raises(UsageError, match="no id and no date"):
        operations.export_audit(box.workspace, "yesterday")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda lines: [*lines[:2], lines[2].replace("tester", "nobody"), *lines[3:]], "audit entry 3 "),
        (lambda lines: [*lines[:2], *lines[3:]], "audit entry 4 "),
        (lambda lines: [lines[1], lines[0], *lines[2:]], "audit entry 1 "),
        (lambda lines: [*lines[:2], "[]", *lines[2:]], "line 3 is no audit entry"),
        (lambda lines: [*lines[:2], "{", *lines[2:]], "line 3 is no audit entry"),
        (lambda lines: [*lines[:2], "[" * 100_000, *lines[2:]], "line 3 is no audit entry"),
    ],
)
def test_an_export_that_was_tampered_with_is_noticed(box: ToyBox, change: Any, message: str) -> None:
    lines = list(operations.export_audit(box.workspace))
    with pytest.raises(AuditError, match=message):
        verify_lines(change(lines), "export")


# ------------------------------------------------------------------------------------------------- what is recorded


def test_an_entry_says_who_from_where_and_when(box: ToyBox) -> None:
    row = entries(box)[-1]
    assert (row["actor"], row["at"]) == ("tester", "2026-03-01T12:00:00Z")
    assert row["origin"] == box.workspace.origin
    assert row["origin"].count("/") == 2
    elsewhere = Workspace(box.home, actor="ada", origin="http:192.0.2.7", clock=box.clock)
    repositories.set_repository(elsewhere, "shop", {"label": "Toys"})
    elsewhere.close()
    assert (entries(box)[-1]["actor"], entries(box)[-1]["origin"]) == ("ada", "http:192.0.2.7")


def test_a_changed_setting_is_kept_as_it_was_and_as_it_is(box: ToyBox) -> None:
    repositories.set_distribution(box.workspace, "window", {"policy": "strict"})
    repositories.set_repository(box.workspace, "shop", {"label": "Toys"}, [str(box.folder / "elsewhere")])
    distribution, repository = entries(box)[-2:]
    assert distribution["detail"] == {"before": {"policy": "soft"}, "after": {"policy": "strict"}}
    assert repository["detail"]["before"] == {"label": "shop", "targets": [box.tree.as_uri()]}
    assert repository["detail"]["after"] == {"label": "Toys", "targets": [(box.folder / "elsewhere").as_uri()]}


def test_a_source_is_kept_without_its_secrets(box: ToyBox) -> None:
    box.upstream.add("robot", 2)
    box.sync()
    assert [row["action"] for row in entries(box)[-2:]] == ["source.add", "source.sync"]
    change = sources.Change(url="https://example.org/toys", secrets=Secrets("ada", "rosebud"))
    sources.set_source(box.workspace, "box", change)
    row = entries(box)[-1]
    assert row["detail"]["after"] == {"url": "https://example.org/toys", "secrets": "changed"}
    sources.remove_source(box.workspace, "box")
    assert entries(box)[-1]["detail"]["before"]["secrets"] == "set"
    assert "rosebud" not in "".join(operations.export_audit(box.workspace))


def test_a_publication_says_what_was_in_place_before(box: ToyBox) -> None:
    first, second = (row["detail"] for row in entries(box) if row["action"] == "publish")
    assert (first["before"], first["version"]) == (None, 1)
    assert (second["before"], second["version"]) == (1, 2)
