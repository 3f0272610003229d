"""Real dnf, over and over, while the tree is published all the time: it never fails, whatever is in between.

It checks no signature of repomd.xml here: that is a second file, and no server can hand out both at one moment.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from support import radosgw
from support.dnf_client import DnfClient
from support.program import Program
from support.republished import SECONDS, read_for, republished
from support.rpms import make_rpm
from support.s3_buckets import new_bucket, use_credentials
from support.serving import WAYS, Serve, Serving

pytestmark = pytest.mark.client

DISTRIBUTION = "apps/el9/x86_64"
VERSIONS = 4
CLIENTS = 2


@pytest.fixture
def program(tmp_path: Path) -> Program:
    """A workspace with some versions of a distribution, each with a package more; the newest is published."""
    program = Program(tmp_path / "home")
    program("init")
    program("repo", "create", "apps", "--format", "rpm", "--publish-to", tmp_path / "tree", "--no-sign")
    program("dist", "create", DISTRIBUTION, "--arch", "x86_64")
    for number in range(VERSIONS):
        program("upload", make_rpm(tmp_path, f"package-{number}"), "--to", DISTRIBUTION)
    return program


@pytest.fixture
def serving(tmp_path: Path) -> Iterator[Serving]:
    with ExitStack() as stack:
        yield Serving(stack, tmp_path / "tree", tmp_path)


@pytest.mark.parametrize("serve", WAYS)
def test_dnf_never_fails_while_a_folder_is_published_all_the_time(
    tmp_path: Path, program: Program, serving: Serving, serve: Serve
) -> None:
    check_loop(tmp_path, program, serve(serving))
    serving.check_caches("repodata/repomd.xml")


def test_dnf_never_fails_while_a_bucket_is_published_to_all_the_time(
    tmp_path: Path, program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    if missing := radosgw.missing_programs():
        pytest.skip(f"not installed: {', '.join(missing)}")
    use_credentials(monkeypatch, radosgw.ACCESS_KEY, radosgw.SECRET_KEY)
    service = radosgw.service().url
    bucket = new_bucket(service)
    settings = f'[storage.s3]\nendpoint_url = "{service}"\nacl = "public-read"\n'
    (program.home / "entrepot.toml").write_text(settings)
    program("repo", "set", "apps", "--publish-to", f"s3://{bucket}/rpm")
    program("publish")
    check_loop(tmp_path, program, f"{service}/{bucket}/rpm/")


def check_loop(tmp_path: Path, program: Program, url: str) -> None:
    """Metadata and packages are fetched without a failure, of more than one version."""
    repo = f"[apps]\nname=apps\nbaseurl={url}el9/x86_64/\ngpgcheck=0\nrepo_gpgcheck=0\n"
    clients = [DnfClient(tmp_path / f"client-{number}", repo) for number in range(CLIENTS)]
    seen: list[set[str]] = [set() for _ in clients]
    with republished(program.home, DISTRIBUTION, range(1, VERSIONS + 1)):
        readers = [reader(client, entries) for client, entries in zip(clients, seen, strict=True)]
        reading = read_for(SECONDS, readers, lambda: len(set.union(*seen)) > 1)
    assert not reading.failures
    assert len(set.union(*seen)) > 1


def reader(client: DnfClient, seen: set[str]) -> Callable[[], object]:
    """Fetches and checks all metadata, and now and then a package; notes which metadata it was told of."""
    turns = itertools.count()

    def read() -> None:
        client.makecache()
        (entry,) = client.root.glob("cache/*/repodata/repomd.xml")
        seen.add(entry.read_text())
        if next(turns) % 2 == 0:
            assert len(client.download("package-0")) == 1

    return read
