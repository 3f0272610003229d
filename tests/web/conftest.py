"""A shop that several tests share: each of them leaves it fit for the others."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from support.web import Server, Shop, open_shop


@pytest.fixture(scope="session")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """A server that everybody of this machine may read from, with trees."""
    with open_shop(tmp_path_factory.mktemp("shop"), "--trees") as shop:
        yield shop


@pytest.fixture
def server(shop: Shop) -> Server:
    """That server."""
    return shop.server
