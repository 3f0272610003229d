"""A file of JSON lines: whole lines, one for each event."""

from __future__ import annotations

import json
import resource
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from entrepot.contracts import Notice
from entrepot.errors import DeliveryError
from entrepot.testing import NotifierContract
from entrepot_plugins.notifiers import JsonLinesFactory

NOTICE = Notice("evt_1", "version_created", {"id": "evt_1", "data": {"message": "two\nlines \u2028 and é"}})


class TestContract(NotifierContract):
    def make_factory(self) -> JsonLinesFactory:
        return JsonLinesFactory()

    def settings(self, folder: Path) -> Mapping[str, Any]:
        return {"path": "log/events.jsonl"}

    def broken(self, folder: Path) -> Mapping[str, Any]:
        (folder / "file").touch()
        return {"path": "file/events.jsonl"}

    def received(self, folder: Path) -> Sequence[str]:
        lines = (folder / "log/events.jsonl").read_text(encoding="utf-8").split("\n")
        return [json.loads(line)["id"] for line in lines if line]


def log(path: Path) -> None:
    with JsonLinesFactory().open("log", {"path": str(path)}, Path("/nowhere")) as notifier:
        notifier.deliver([NOTICE], 1.0)


def test_an_event_is_one_line_whatever_is_in_it(tmp_path: Path) -> None:
    log(tmp_path / "log")
    (line,) = (tmp_path / "log").read_bytes().splitlines()
    assert json.loads(line) == NOTICE.document


def test_a_line_that_was_cut_is_ended_first(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_text('{"id": "evt_0", "da')
    log(path)
    cut, whole = path.read_bytes().splitlines()
    assert (cut, json.loads(whole)["id"]) == (b'{"id": "evt_0", "da', "evt_1")


def test_others_than_owner_and_group_cannot_read_it(tmp_path: Path) -> None:
    log(tmp_path / "log")
    assert (tmp_path / "log").stat().st_mode & 0o007 == 0


def test_a_full_disk_is_a_failure() -> None:
    with pytest.raises(DeliveryError, match="/dev/full cannot be written"):
        log(Path("/dev/full"))


def test_of_a_line_that_does_not_fit_nothing_stays(tmp_path: Path) -> None:
    path, (soft, hard) = tmp_path / "log", resource.getrlimit(resource.RLIMIT_FSIZE)
    log(path)
    before = path.read_bytes()
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) + 10, hard))
    try:
        with pytest.raises(DeliveryError, match="cannot be written: File too large"):
            log(path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert path.read_bytes() == before
