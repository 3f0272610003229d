"""Fixtures that these tests share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from support.clamd import RealClamd


@pytest.fixture(scope="session")
def clamd() -> Iterator[RealClamd]:
    """A clamd that knows the marker."""
    with RealClamd() as running:
        yield running
