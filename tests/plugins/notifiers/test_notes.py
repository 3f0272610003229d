"""What a third party writes passes the same tests as what comes with the program."""

from __future__ import annotations

import re
import types
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from entrepot.contracts import Notice
from entrepot.errors import DeliveryError
from entrepot.plugins import make_plugins
from entrepot.testing import NotifierContract
from support.notes import NotesFactory

PAGE = (Path(__file__).parents[3] / "docs" / "events.md").read_text(encoding="utf-8")


def test_the_example_of_the_documentation_is_a_plugin() -> None:
    (code,) = re.findall(r"```python\n(# entrepot_matrix\.py.*?)```", PAGE, re.DOTALL)
    module = types.ModuleType("entrepot_matrix")
    exec(code, module.__dict__)
    plugins = make_plugins([("matrix", module)], installed=False)
    said: list[tuple[str, str]] = []

    def post(room: str, text: str, timeout: float) -> bool:
        said.append((room, text))
        return len(said) == 1

    module.__dict__["post"] = post
    with plugins.notifier("matrix").open("room", {"room": "!a"}, Path("/nowhere")) as notifier:
        notice = Notice("evt_1", "version_created", {"data": {"number": 1}})
        notifier.deliver([notice, notice], 1.0)
        assert said == [("!a", "version_created: {'number': 1}\nversion_created: {'number': 1}")]
        with pytest.raises(DeliveryError, match="closed"):
            notifier.deliver([notice], 1.0)


class TestNotes(NotifierContract):
    @pytest.fixture(autouse=True)
    def _factory(self) -> None:
        self.factory = NotesFactory(together=2)

    def make_factory(self) -> NotesFactory:
        return self.factory

    def settings(self, folder: Path) -> Mapping[str, Any]:
        return {}

    def broken(self, folder: Path) -> Mapping[str, Any]:
        self.factory.of("one").failing = DeliveryError("the line is dead")
        return {}

    def received(self, folder: Path) -> Sequence[str]:
        return [notice.id for notice in self.factory.of("one").told]
