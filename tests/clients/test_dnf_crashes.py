"""A publisher dies, and the real dnf takes what it left."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from support.apt_repository import Key
from support.dnf_client import DnfClient
from support.rpms import make_rpm
from support.workspaces import Depot, crashes

pytestmark = pytest.mark.client


def test_dnf_goes_on_while_a_publisher_lies_dead(tmp_path: Path, keys: Callable[[], Key]) -> None:
    """A signature and what it signs are two files: between their writes dnf refuses, and never takes what is wrong."""
    depot = Depot(tmp_path / "depot", keys(), through=True, format_name="rpm")
    depot.distribute()
    depot.upload(make_rpm(tmp_path, "hello"), publish=True)
    depot.upload(make_rpm(tmp_path, "hello", "2.0"))
    depot.close()
    old, new = {"hello-0:1.0-1.noarch"}, {"hello-0:1.0-1.noarch", "hello-0:2.0-1.noarch"}
    seen = []
    for number, crashed in enumerate(crashes(depot, tmp_path / "crashed", 2, after=True)):
        repo = (crashed.tree / "example.repo").read_text().replace(depot.url, f"{crashed.tree.as_uri()}/")
        client = DnfClient(tmp_path / f"client-{number}", repo)
        result = client.run("makecache")
        if result.returncode:
            assert "GPG signature" in result.stderr
            seen.append("refused")
            assert crashed.publish(version=2) == "published"
            assert client.packages() == new
        else:
            found = client.packages()
            assert found in (old, new)
            seen.append("old" if found == old else "new")
    assert [state for place, state in enumerate(seen) if state not in seen[:place]] == ["old", "refused", "new"]
    assert seen.count("refused") == 1
