"""Every test is a machine that has seen no workspace yet."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Its cache."""
    monkeypatch.setenv("ENTREPOT_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Goes to another machine, which has seen nothing."""
    numbers = count(1)
    return lambda: monkeypatch.setenv("ENTREPOT_CACHE", str(tmp_path / f"cache{next(numbers)}"))
