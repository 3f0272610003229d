"""A publisher dies, and the real apt-get takes what it left."""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice
from pathlib import Path

import pytest

from support.apt_client import AptClient
from support.apt_repository import Key
from support.debs import make_deb
from support.workspaces import Depot, crashes

pytestmark = pytest.mark.client

EVERY = 3
"""Of so many crashes one is looked at: the tree checker, which is stricter and quicker, sees all of them."""


def test_apt_goes_on_while_a_publisher_lies_dead(tmp_path: Path, keys: Callable[[], Key]) -> None:
    depot = Depot(tmp_path / "depot", keys(), through=True)
    depot.distribute()
    depot.upload(make_deb(tmp_path, "hello"), publish=True)
    depot.upload(make_deb(tmp_path, "hello", "2.0-1"))
    depot.close()
    seen = []
    for number, crashed in enumerate(islice(crashes(depot, tmp_path / "crashed", 2, after=True), 0, None, EVERY)):
        sources = (crashed.tree / "example.sources").read_text()
        client = AptClient(tmp_path / f"client-{number}", sources.replace(depot.url, crashed.tree.as_uri() + "/"))
        client.update()
        versions = client.packages()
        assert len(client.download("hello")) == 1
        seen.append(versions["hello"])
    assert seen == sorted(seen)
    assert set(seen) == {"1.0-1", "2.0-1"}
