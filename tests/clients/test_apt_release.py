"""What a Release file says of a distribution, and what the real apt-get makes of it, and of a change of it."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from entrepot.cli import main
from entrepot.errors import ConflictError
from entrepot.models import Scalar
from entrepot.services import repositories
from entrepot.services.publishing import PublishRequest, PublishResult, publish
from support.apt_client import AptClient
from support.debs import make_deb
from support.workspaces import Depot

pytestmark = pytest.mark.client

DISTRIBUTION = "example/stable"
PLAIN = PublishRequest()
ACCEPTED = PublishRequest(accept_release_change=True)


@pytest.fixture
def depot(tmp_path: Path) -> Iterator[Depot]:
    """A distribution with one package, published without a signature."""
    depot = Depot(tmp_path / "site", url=(tmp_path / "site/tree").as_uri())
    depot.distribute()
    depot.upload(make_deb(tmp_path, "hello"), publish=True)
    yield depot
    depot.close()


def client(depot: Depot, folder: Path) -> AptClient:
    return AptClient(folder / "client", (depot.tree / "example.sources").read_text())


def change(depot: Depot, **options: Scalar) -> None:
    repositories.set_distribution(depot.workspace, DISTRIBUTION, {"options": options})
    depot.clock.advance(minutes=1)


def published(depot: Depot, request: PublishRequest = PLAIN) -> PublishResult:
    return publish(depot.workspace, DISTRIBUTION, request=request)


@pytest.mark.parametrize(
    "options",
    [
        {"origin": "Other"},
        {"label": "Other"},
        {"codename": "other"},
        {"not_automatic": True},
        {"not_automatic": True, "but_automatic_upgrades": True},
    ],
    ids=str,
)
def test_what_stops_apt_is_told_in_its_words_and_published_only_if_that_is_accepted(
    depot: Depot, tmp_path: Path, options: dict[str, Scalar]
) -> None:
    apt = client(depot, tmp_path)
    apt.update()
    change(depot, **options)
    release = (depot.tree / "dists/stable/Release").read_bytes()
    with pytest.raises(ConflictError, match="would stop at their next update") as refused:
        published(depot)
    assert (depot.tree / "dists/stable/Release").read_bytes() == release
    sentence = refused.value.message.partition("apt-get update says that the repository ")[2]
    assert published(depot, ACCEPTED).status == "published"
    result = apt.run("apt-get", "update")
    assert result.returncode != 0
    assert sentence
    assert sentence in result.stderr
    assert apt.run("apt-get", "update", "--allow-releaseinfo-change").returncode == 0


@pytest.mark.parametrize("options", [{"version": "2.0"}, {"description": "Ours"}, {"suite": "latest"}], ids=str)
def test_what_does_not_stop_apt_is_published_as_it_is(depot: Depot, tmp_path: Path, options: dict[str, Scalar]) -> None:
    apt = client(depot, tmp_path)
    apt.update()
    change(depot, **options)
    assert published(depot).status == "published"
    apt.update()


def test_what_was_accepted_once_is_not_asked_about_again(depot: Depot) -> None:
    change(depot, codename="other")
    published(depot, ACCEPTED)
    change(depot, version="2.0")
    assert published(depot).status == "published"


def test_a_plan_tells_what_would_stop_clients(depot: Depot) -> None:
    change(depot, codename="other")
    depot.close()
    result = CliRunner().invoke(main, ["--home", str(depot.home), "publish", "stable", "--dry-run"])
    assert result.exit_code == 0, result.output
    assert "changed its 'Codename' value from 'stable' to 'other'" in result.output
    assert "write" in result.output


@pytest.mark.parametrize(("upgrades", "priority"), [(False, 1), (True, 100)])
def test_apt_gives_a_distribution_that_is_not_automatic_the_priority_that_it_asks_for(
    depot: Depot, tmp_path: Path, upgrades: bool, priority: int
) -> None:
    change(depot, not_automatic=True, but_automatic_upgrades=upgrades)
    published(depot, ACCEPTED)
    apt = client(depot, tmp_path)
    apt.update()
    assert re.search(rf"^ +{priority} file:", apt.ask("apt-cache", "policy"), re.MULTILINE)


def test_a_release_that_apt_refuses_for_its_age_is_taken_again_once_it_was_refreshed(
    depot: Depot, tmp_path: Path
) -> None:
    now = dt.datetime.now(dt.UTC).replace(microsecond=0)
    depot.clock.time = now - dt.timedelta(days=11)
    change(depot, valid_days=10)
    published(depot)
    apt = client(depot, tmp_path)
    assert "is expired" in apt.run("apt-get", "update").stderr
    depot.clock.time = now - dt.timedelta(hours=1)
    published(depot, PublishRequest(refresh=True))
    apt.update()
    assert apt.packages() == {"hello": "1.0-1"}


def test_a_refresh_signs_nothing_before_half_of_the_time_is_over(depot: Depot) -> None:
    change(depot, valid_days=10)
    published(depot)
    depot.clock.advance(days=4, hours=23)
    assert published(depot, PublishRequest(refresh=True)).status == "unchanged"
    depot.clock.advance(hours=1)
    assert published(depot, PublishRequest(refresh=True)).status == "published"


def test_a_refresh_leaves_the_version_that_is_in_place(depot: Depot, tmp_path: Path) -> None:
    change(depot, valid_days=10)
    published(depot)
    depot.upload(make_deb(tmp_path, "second"))
    depot.clock.advance(days=6)
    refreshed = published(depot, PublishRequest(refresh=True))
    assert (refreshed.status, refreshed.version, depot.published_version()) == ("published", 1, 1)


def test_a_refresh_publishes_nothing_that_was_never_published(depot: Depot) -> None:
    depot.distribute("testing", options={"valid_days": 10})
    assert publish(depot.workspace, "testing", request=PublishRequest(refresh=True)).status == "unchanged"
    assert not (depot.tree / "dists/testing").exists()
