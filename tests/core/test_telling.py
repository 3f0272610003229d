"""How far a batch is, and each import of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from entrepot.pipeline import telling
from entrepot.progress import ProgressEvent
from entrepot.services import imports
from support.toybox import ToyBox


@pytest.mark.parametrize(("most", "closely"), [(2, True), (1, False)])
def test_each_import_of_a_small_batch_is_told_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, most: int, closely: bool
) -> None:
    monkeypatch.setattr(telling, "MOST_WATCHED", most)
    events: list[ProgressEvent] = []
    box = ToyBox(tmp_path)
    box.upstream.add("robot", 1)
    box.upstream.add("battery", 1, text="review")
    box.sync()
    request = imports.ImportRequest("box", ["robot", "battery"], "shop/window")
    batch = imports.import_packages(box.workspace, request, events.append)
    ends = {(event.import_id, event.outcome) for event in events if event.code == telling.SETTLE}
    assert ends == ({(result.import_id, result.status) for result in batch.results} if closely else set())
    assert {event.import_id is None for event in events} == ({True, False} if closely else {True})
    box.workspace.close()
