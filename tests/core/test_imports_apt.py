"""Imports of Debian packages: dependencies by the real solver, source packages with all their files."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from entrepot.errors import UsageError
from entrepot.events import ImportResult
from entrepot.services import imports
from support.apt_repository import Key
from support.apt_upstream import AptUpstream
from support.debs import make_deb, make_source
from support.upstream import Upstream
from support.workspaces import Depot


@dataclass
class Site:
    """An upstream on a server, and a workspace that follows it."""

    folder: Path
    upstream: AptUpstream
    server: Upstream
    depot: Depot

    def request(self, *packages: str, recommends: bool = False) -> imports.ImportRequest:
        """What is asked for: packages with their dependencies."""
        return imports.ImportRequest("upstream", packages, "stable", dependencies=True, recommends=recommends)

    def plan(self, *packages: str, recommends: bool = False) -> imports.ImportPlan:
        """What would come in."""
        return imports.plan_import(self.depot.workspace, self.request(*packages, recommends=recommends))


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    upstream = AptUpstream(tmp_path / "upstream")
    upstream.add(
        make_deb(tmp_path, "web", depends="web-data (>= 2), libssl | libtls", fields={"Recommends": "logo"}),
        make_deb(tmp_path, "web-data", "1-1", "all"),
        make_deb(tmp_path, "web-data", "2-1", "all"),
        make_deb(tmp_path, "openssl3", "3.0-1", fields={"Provides": "libssl"}),
        make_deb(tmp_path, "logo", "1-1", "all"),
        make_deb(tmp_path, "broken", depends="unobtainium (>= 5)"),
    )
    upstream.add(make_source(tmp_path, "web"))
    upstream.write()
    depot = Depot(tmp_path / "depot")
    depot.distribute("stable", architectures=("amd64",))
    with Upstream(root=upstream.root) as server:
        depot.follow(upstream.draft(server.url))
        server.forget()
        yield Site(tmp_path, upstream, server, depot)
    depot.close()


def without_antivirus(result: ImportResult) -> dict[str, str]:
    """The words of the pipeline but for the one that depends on this machine."""
    return {name: word for name, word in result.pipeline.items() if name != "antivirus"}


def test_a_dry_run_shows_the_closure_and_fetches_nothing(site: Site) -> None:
    plan = site.plan("web")
    assert sorted(row.name for row in plan.packages) == ["openssl3", "web", "web-data"]
    assert {row.version for row in plan.packages if row.name == "web-data"} == {"2-1"}
    assert plan.problems == []
    assert site.server.count() == 0
    assert site.depot.workspace.catalog.database.table("imports").count == 0


def test_recommended_packages_come_when_they_are_asked_for(site: Site) -> None:
    assert "logo" in [row.name for row in site.plan("web", recommends=True).packages]


def test_the_closure_comes_in_as_one_version(site: Site) -> None:
    batch = imports.import_packages(site.depot.workspace, site.request("web"))
    assert [result.status for result in batch.results] == ["published"] * 3
    assert batch.version
    assert (batch.version.number, batch.version.packages) == (1, 3)
    again = imports.import_packages(site.depot.workspace, site.request("web"))
    assert [(result.package, result.status) for result in again.results] == [("web", "already_published")]


def test_what_cannot_be_satisfied_is_named_before_anything_is_fetched(site: Site) -> None:
    plan = site.plan("broken")
    assert len(plan.problems) == 1
    assert "broken" in plan.problems[0]
    assert "unobtainium (>= 5)" in plan.problems[0]
    with pytest.raises(UsageError, match=r"unobtainium \(>= 5\)"):
        imports.import_packages(site.depot.workspace, site.request("broken"))
    assert site.server.count() == 0


def test_a_source_package_comes_with_all_its_files(site: Site) -> None:
    request = imports.ImportRequest("upstream", ["web:source"], "stable")
    (result,) = imports.import_packages(site.depot.workspace, request).results
    assert (result.status, result.architecture, result.version) == ("published", "source", "1.0-1")
    pool = site.depot.tree / "pool/main/w/web"
    assert sorted(path.name for path in pool.iterdir()) == [
        "web_1.0-1.debian.tar.xz",
        "web_1.0-1.dsc",
        "web_1.0.orig.tar.gz",
    ]
    site.server.forget()
    (again,) = imports.import_packages(site.depot.workspace, request).results
    assert again.status == "already_published"
    assert site.server.count() == 0


def test_a_tarball_that_two_revisions_share_is_fetched_once(site: Site) -> None:
    imports.import_packages(site.depot.workspace, imports.ImportRequest("upstream", ["web:source"], "stable"))
    newer = site.folder / "newer"
    newer.mkdir()
    site.upstream.add(make_source(newer, "web", "1.0-2"))
    site.upstream.write()
    site.depot.sync()
    site.server.forget()
    request = imports.ImportRequest("upstream", ["web:source=1.0-2"], "stable")
    (result,) = imports.import_packages(site.depot.workspace, request).results
    assert result.status == "published"
    assert sorted(request.path.rpartition("/")[2] for request in site.server.requests) == [
        "web_1.0-2.debian.tar.xz",
        "web_1.0-2.dsc",
    ]


def test_an_upload_of_a_deb_is_not_signed_and_says_so(site: Site) -> None:
    (result,) = imports.upload(site.depot.workspace, [make_deb(site.folder, "mine")], "stable").results
    assert (result.status, without_antivirus(result)) == (
        "published",
        {
            "contents": "usual",
            "cve_scan": "skipped",
            "dependencies": "satisfied",
            "format": "valid",
            "gpg": "unsigned_pass",
        },
    )


def test_an_upload_of_a_dsc_takes_the_files_that_it_names_from_beside_it(site: Site) -> None:
    dsc, orig, debian = make_source(site.folder, "mine")
    (result,) = imports.upload(site.depot.workspace, [dsc], "stable").results
    assert result.status == "published"
    pool = site.depot.tree / "pool/main/m/mine"
    assert {path.name for path in pool.iterdir()} == {dsc.name, orig.name, debian.name}


def test_an_upload_of_a_dsc_takes_the_files_that_are_given_with_it(site: Site) -> None:
    dsc, orig, debian = make_source(site.folder, "mine")
    elsewhere = site.folder / "elsewhere"
    elsewhere.mkdir()
    moved = [path.rename(elsewhere / path.name) for path in (orig, debian)]
    (result,) = imports.upload(site.depot.workspace, [*moved, dsc], "stable").results
    assert result.status == "published"


def test_an_upload_of_a_dsc_without_its_files_says_which_is_missing(site: Site) -> None:
    dsc, orig, _ = make_source(site.folder, "mine")
    orig.unlink()
    with pytest.raises(UsageError, match=f"{dsc.name} names {orig.name}, which is not there") as caught:
        imports.upload(site.depot.workspace, [dsc], "stable")
    assert caught.value.hint == "upload it, too"


def test_an_upload_of_a_tarball_that_no_dsc_names_is_refused(site: Site) -> None:
    dsc, orig, _ = make_source(site.folder, "mine")
    stray = orig.rename(site.folder / "other_1.orig.tar.gz")
    with pytest.raises(UsageError, match=f"{stray.name} is no package of format apt"):
        imports.upload(site.depot.workspace, [stray], "stable")
    assert dsc.exists()


def test_the_signature_of_the_index_vouches_for_the_package(tmp_path: Path, keys: Callable[[], Key]) -> None:
    upstream = AptUpstream(tmp_path / "upstream", keys())
    upstream.add(make_deb(tmp_path, "hello"))
    upstream.write()
    depot = Depot(tmp_path / "depot")
    depot.distribute("stable")
    depot.follow(upstream.draft(upstream.root.as_uri()))
    request = imports.ImportRequest("upstream", ["hello"], "stable")
    (result,) = imports.import_packages(depot.workspace, request).results
    assert without_antivirus(result) == {
        "cve_scan": "skipped",
        "dependencies": "satisfied",
        "contents": "usual",
        "format": "valid",
        "gpg": "signed_trusted",
    }
    assert result.import_id is not None
    stored = {item.scanner: item.verdict for item in depot.workspace.catalog.imports.verdicts(result.import_id)}
    assert upstream.key
    assert stored["signature"].evidence["fingerprint"] == upstream.key.fingerprint
    depot.close()
