"""A shop that several tests share: each of them leaves it fit for the others."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from support.apt_repository import Key
from support.gnupg import gnupg_home, make_key
from support.populated import House, populated
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


@pytest.fixture(scope="session")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """A workspace that was used for a while, served."""
    with gnupg_home() as home:
        key = Key(home, make_key(home, "Archive <archive@example.org>"))
        with populated(tmp_path_factory.mktemp("house"), key) as house:
            yield house
