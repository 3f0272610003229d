"""What is written of the progress of a task, for who follows it."""

from __future__ import annotations

from pathlib import Path

from entrepot.progress import ProgressEvent
from entrepot.services.event_log import EventLog, read_events


def told(path: Path, *counts: int) -> list[int]:
    log = EventLog(path)
    for count in counts:
        log(ProgressEvent("import.fetch", "Downloading", "running", count, 10, "bytes"))
    events, _ = read_events(path, 0)
    return [event["done"] for event in events]


def test_what_comes_quickly_is_told_now_and_then(tmp_path: Path) -> None:
    assert told(tmp_path / "1.events", *range(1, 10)) == [1]


def test_the_last_of_it_is_told_however_quickly_it_comes(tmp_path: Path) -> None:
    assert told(tmp_path / "1.events", 1, 2, 10) == [1, 10]
