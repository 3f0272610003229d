"""The examples of docs/mirroring.md are run as they stand, on a source that is built here."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from entrepot.cli.main import main
from entrepot.query import Query, parse
from entrepot.services import mirroring, repositories
from entrepot.services.selecting import MirrorRequest
from support.apt_repository import Key
from support.apt_upstream import AptUpstream
from support.debs import make_deb, make_source
from support.upstream import Upstream
from support.workspaces import Depot, keys

__all__ = ["keys"]

PAGE = (Path(__file__).parents[2] / "docs" / "mirroring.md").read_text(encoding="utf-8")
EXAMPLES = [text.replace("\\|", "|") for text in re.findall(r"^\| `(.+?)` \|", PAGE, re.MULTILINE)]


@pytest.fixture(scope="module")
def depot(tmp_path_factory: pytest.TempPathFactory, keys: Callable[[], Key]) -> Iterator[Depot]:
    """A depot that follows ``debian`` and has the distribution ``apps/bookworm``."""
    folder = tmp_path_factory.mktemp("mirroring")
    upstream = AptUpstream(folder / "upstream", keys(), ("amd64", "i386"))
    more = {"Section": "web", "Priority": "important", "Multi-Arch": "same", "Provides": "httpd"}
    upstream.add(
        make_deb(folder, "nginx", "1.22.1-9", depends="nginx-common", fields=more),
        make_deb(folder, "nginx", "1.24-1", depends="nginx-common", fields=more),
        make_deb(folder, "nginx-common", "1.24-1", arch="all"),
        make_deb(folder, "nginx-doc", "1.24-1", arch="all"),
        make_source(folder, "nginx"),
    )
    upstream.write()
    depot = Depot(folder / "depot", stamp=True)
    with Upstream(root=upstream.root) as server:
        depot.follow(upstream.draft(server.url, "debian"))
        repositories.create_repository(
            depot.workspace, "apps", format_name="apt", publish_to=str(folder / "apps"), sign=False
        )
        repositories.create_distribution(depot.workspace, "apps/bookworm")
        yield depot
    depot.close()


@pytest.mark.parametrize("text", EXAMPLES)
def test_every_query_of_the_page_is_understood_and_can_be_asked(depot: Depot, text: str, tmp_path: Path) -> None:
    (tmp_path / "wanted.txt").write_text("nginx  # the server\n")
    query = text.replace("wanted.txt", str(tmp_path / "wanted.txt"))
    found = mirroring.plan_mirror(depot.workspace, MirrorRequest("debian", "apps/bookworm", where=query), files=True)
    understood: Query = found.plan.query
    assert parse(str(understood)) == understood


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("nginx (>= 1.23)", ["nginx=1.24-1"]),
        ("nginx:source", ["nginx=1.0-1"]),
        ("version = 1.22*", ["nginx=1.22.1-9"]),
        ("provides = httpd", ["nginx=1.22.1-9", "nginx=1.24-1"]),
        ("latest(provides = http*)", ["nginx=1.24-1"]),
        ("priority = important and not latest(1)", ["nginx=1.22.1-9"]),
        ("FIELD:multi-arch = same and nginx=1.24-1", ["nginx=1.24-1"]),
        ("with-dependencies(nginx=1.24-1)", ["nginx=1.24-1", "nginx-common=1.24-1"]),
        ("arch = all", ["nginx-common=1.24-1", "nginx-doc=1.24-1"]),
        ("kind = binary and not nginx*", []),
        ("size > 1GiB or component = contrib", []),
    ],
)
def test_a_query_takes_what_it_says(depot: Depot, text: str, names: list[str]) -> None:
    found = mirroring.plan_mirror(depot.workspace, MirrorRequest("debian", "apps/bookworm", where=text))
    assert [f"{row['package']}={row['after']}" for row in found.changes] == names


def test_every_command_of_the_page_works_in_its_order(depot: Depot, monkeypatch: pytest.MonkeyPatch) -> None:
    block = re.search(r"```sh\n(.*?)```", PAGE, re.DOTALL)
    assert block
    monkeypatch.chdir(depot.folder)
    (depot.folder / "wanted.txt").write_text("nginx\n")
    depot.close()
    for line in block[1].splitlines():
        program, *arguments = shlex.split(line)
        assert program == "entrepot"
        result = CliRunner().invoke(main, ["--home", str(depot.home), *arguments])
        assert result.exit_code == 0, f"{line}: {result.output}"
    members = depot.workspace.catalog.versions.members
    distribution = depot.workspace.catalog.repositories.distribution("apps/bookworm")
    newest = depot.workspace.catalog.versions.latest(distribution).number
    assert {member.name for member in members(distribution, newest)} == {"nginx", "nginx-common", "nginx-doc"}
    assert (depot.folder.parent / "apps/dists/bookworm/Release").exists()
