"""What every notifier has to do."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import pytest

from entrepot.contracts import Notice, NotifierFactory
from entrepot.errors import EntrepotError, SettingsError
from entrepot.notifying import EVENTS


class NotifierContract(ABC):
    """Tests of one kind of notifier: ``make_factory``, its ``settings``, and what its receiver has taken."""

    secrets: ClassVar[Sequence[str]] = ()
    """What is in the settings, or what they refer to, and may be in no message."""

    @abstractmethod
    def make_factory(self) -> NotifierFactory: ...

    @abstractmethod
    def settings(self, folder: Path) -> Mapping[str, Any]:
        """The table of a notifier whose receiver is there."""

    @abstractmethod
    def broken(self, folder: Path) -> Mapping[str, Any]:
        """That of one whose receiver takes nothing."""

    @abstractmethod
    def received(self, folder: Path) -> Sequence[str]:
        """What the receiver of ``settings`` has of the notices that it took: for each one its id, or what it led to."""

    def notices(self, count: int) -> Sequence[Notice]:
        """Notices that the kind makes something of."""
        event = next(iter(sorted(self.make_factory().hears)), "version_created")
        found = []
        for number in range(1, count + 1):
            data = {"distribution": "shop/window", "target": "file:///srv", "changed": [f"a/{number}"]}
            head = {"id": f"evt_{number:032x}", "type": event, "timestamp": "2026-01-01T00:00:00Z", "version": 1}
            found.append(Notice(f"evt_{number:032x}", event, {**head, "actor": "somebody", "data": data}))
        return found

    def test_it_says_what_it_is(self) -> None:
        factory = self.make_factory()
        assert re.fullmatch(r"[a-z][a-z0-9_-]*", factory.kind)
        assert {*factory.hears} <= {*EVENTS}

    def test_it_tells_one_notice_and_as_many_as_it_takes(self, tmp_path: Path) -> None:
        with self.make_factory().open("one", self.settings(tmp_path), tmp_path) as notifier:
            first, *others = self.notices(4)
            assert notifier.together >= 1
            notifier.deliver([first], 10.0)
            for start in range(0, len(others), notifier.together):
                notifier.deliver(others[start : start + notifier.together], 10.0)
        assert len(set(self.received(tmp_path))) == 4

    def test_it_can_tell_the_same_twice(self, tmp_path: Path) -> None:
        for _ in range(2):
            with self.make_factory().open("one", self.settings(tmp_path), tmp_path) as notifier:
                notifier.deliver(self.notices(1), 10.0)
        assert len(set(self.received(tmp_path))) == 1

    def test_it_says_so_where_nobody_takes_it_and_quotes_no_secret(self, tmp_path: Path) -> None:
        with pytest.raises(EntrepotError) as caught:  # noqa: SIM117 - it may fail when it is opened, too
            with self.make_factory().open("one", self.broken(tmp_path), tmp_path) as notifier:
                notifier.deliver(self.notices(1), 5.0)
        said = f"{caught.value} {caught.value.hint} {caught.value.data}"
        assert not [secret for secret in self.secrets if secret in said]

    def test_a_setting_that_it_does_not_know_is_refused_by_name(self, tmp_path: Path) -> None:
        settings = {**self.settings(tmp_path), "colour": "green"}
        opened = self.make_factory().open("one", settings, tmp_path)
        with pytest.raises(SettingsError, match=r"notify\.one\.colour"):
            opened.__enter__()
