"""A sync that something else overtakes while its upstream takes its time to answer."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from entrepot.contracts import Format, IndexUpdate, ReadContext
from entrepot.errors import BusyError, NotFoundError
from entrepot.hookspecs import hookimpl
from entrepot.services import browse, sources
from entrepot.services.sources import Change
from entrepot.sync import SyncResult
from entrepot.workspace import Workspace
from support.toy import ToyFormat, ToyIndexReader
from support.toybox import ToyBox


def names(box: ToyBox) -> list[tuple[str, str]]:
    """Name and version of what the catalog says is offered."""
    found = browse.search(box.workspace, "", all_versions=True, limit=1000)
    return sorted((row.name, row.version) for row in found)


class Late(ToyFormat):
    """Toys whose upstream takes its time to answer: something happens meanwhile, once."""

    name = "late"

    def __init__(self) -> None:
        self.meanwhile: Callable[[], object] | None = None
        self.index = LateReader(self)

    @hookimpl
    def register_formats(self) -> Iterable[Format]:
        return [self]


class LateReader(ToyIndexReader):
    def __init__(self, late: Late) -> None:
        self.late = late

    def refresh(self, context: ReadContext, seen: Mapping[str, Any], known: Mapping[str, str]) -> IndexUpdate | None:
        update = super().refresh(context, seen, known)
        meanwhile, self.late.meanwhile = self.late.meanwhile, None
        if meanwhile:
            meanwhile()
        return update


@dataclass
class LateBox:
    """A toy box that reads an upstream late."""

    box: ToyBox
    late: Late

    def sync(self, meanwhile: Callable[[Workspace], object]) -> SyncResult:
        """Syncs, and while it is under way does something else with the workspace, as another command would."""

        def act() -> None:
            other = self.box.opened()
            meanwhile(other)
            other.close()

        self.late.meanwhile = act
        return sources.sync_source(self.box.workspace, "box")


@pytest.fixture
def late(tmp_path: Path) -> Iterator[LateBox]:
    late = Late()
    box = ToyBox(tmp_path, plugins=[("late", late)])
    box.upstream.add("robot", 1)
    box.follow(format="late")
    sources.sync_source(box.workspace, "box")
    yield LateBox(box, late)
    box.workspace.close()


def test_a_sync_that_another_one_overtook_writes_nothing(late: LateBox) -> None:
    late.box.upstream.add("ball", 1)
    late.box.upstream.write()
    with pytest.raises(BusyError, match="'box' was synced or changed by another command in the meantime"):
        late.sync(lambda other: sources.sync_source(other, "box"))
    assert names(late.box) == [("ball", "1"), ("robot", "1")]
    assert late.sync(lambda other: None).counts is None


def test_a_sync_that_finds_nothing_new_does_not_take_back_what_another_one_saw(late: LateBox) -> None:
    def other_sync(other: Workspace) -> None:
        late.box.upstream.add("ball", 1)
        late.box.upstream.write()
        sources.sync_source(other, "box")

    with pytest.raises(BusyError):
        late.sync(other_sync)
    assert late.sync(lambda other: None).counts is None


def test_a_source_that_is_changed_while_it_is_read_is_read_again(late: LateBox) -> None:
    late.box.upstream.add("ball", 1, to="balls")
    late.box.upstream.write()
    with pytest.raises(BusyError):
        late.sync(lambda other: sources.set_source(other, "box", Change(distributions=("toys", "balls"))))
    late.sync(lambda other: None)
    assert names(late.box) == [("ball", "1"), ("robot", "1")]


def test_a_source_that_is_removed_while_it_is_read_stays_removed(late: LateBox) -> None:
    with pytest.raises(NotFoundError, match="there is no source called 'box'"):
        late.sync(lambda other: sources.remove_source(other, "box"))
    assert names(late.box) == []
