"""Fixtures that these tests share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from support.advisories import Desk


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    """A workspace without any data yet."""
    desk = Desk(tmp_path)
    yield desk
    desk.close()
