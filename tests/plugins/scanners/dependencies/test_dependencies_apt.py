"""Debian packages, uploaded into a distribution that has base sources: what the scanner ``dependencies`` says."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from entrepot.errors import ConflictError, NotFoundError, UsageError
from entrepot.events import ImportResult
from entrepot.models import SourceDraft
from entrepot.services import imports, repositories, sources
from support.apt_client import AptClient
from support.apt_upstream import AptUpstream
from support.debs import make_deb, make_source, make_udeb, packages_stanza
from support.workspaces import REPOSITORY, Depot

STABLE = f"{REPOSITORY}/stable"


class Site:
    """A workspace with a synced source ``base`` that the distribution ``stable`` is based on."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.depot = Depot(folder / "depot")
        self.base = AptUpstream(folder / "base", architectures=("amd64", "i386"))

    def offer(self, *packages: Path, architectures: Sequence[str] = ("amd64",), based: bool = True) -> None:
        """Fills the base source and makes the distribution."""
        self.base.add(*packages)
        self.base.write()
        self.depot.follow(self.base.draft(self.base.root.as_uri(), name="base"))
        repositories.create_distribution(
            self.depot.workspace, STABLE, architectures=architectures, base_sources=["base"] if based else []
        )

    def deb(self, name: str, version: str = "1.0-1", arch: str = "amd64", depends: str = "", **fields: str) -> Path:
        """A package; ``multi_arch="same"`` is its field Multi-Arch."""
        named = {field.replace("_", "-").title(): value for field, value in fields.items()}
        return make_deb(self.folder, name, version, arch, depends=depends, fields=named)

    def upload(self, *packages: Path) -> dict[str, ImportResult]:
        """What became of each package."""
        batch = imports.upload(self.depot.workspace, packages, STABLE, publish_after=False)
        return {result.package: result for result in batch.results}

    def ask(self, *packages: Path) -> tuple[str, list[str]]:
        """What is said of the first of some packages that come in together: the word, and the ids of the findings."""
        results = imports.upload(self.depot.workspace, packages, STABLE, publish_after=False).results
        return results[0].pipeline["dependencies"], [finding.id for finding in results[0].findings]


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    site = Site(tmp_path)
    yield site
    site.depot.close()


def test_what_the_base_source_offers_satisfies(site: Site) -> None:
    site.offer(site.deb("libc6", "2.36-9"))
    result = site.upload(site.deb("hello", depends="libc6 (>= 2.34)"))["hello"]
    assert (result.status, result.pipeline["dependencies"]) == ("published", "satisfied")


def test_what_is_missing_is_named_with_who_needs_it_and_waits_for_review(site: Site) -> None:
    site.offer(site.deb("libfoo", "1.1-1", depends="libbar (>= 3), libc6"), site.deb("libc6"))
    result = site.upload(site.deb("hello", depends="libfoo, libqux"))["hello"]
    assert (result.status, result.pipeline["dependencies"]) == ("pending_review", "missing")
    assert {finding.id: finding.summary for finding in result.findings} == {
        "missing:libbar (>= 3)": "libfoo (= 1.1-1) needs libbar (>= 3), which nothing offers on amd64",
        "missing:libqux": "hello (= 1.0-1) needs libqux, which nothing offers on amd64",
    }


def test_packages_that_come_in_together_satisfy_each_other(site: Site) -> None:
    site.offer(site.deb("libc6"))
    results = site.upload(
        site.deb("egg", depends="hen (= 1.0-1)"),
        site.deb("hen", depends="egg, nest"),
        site.deb("straw", provides="nest"),
    )
    assert {name: result.pipeline["dependencies"] for name, result in results.items()} == {
        "egg": "satisfied",
        "hen": "satisfied",
        "straw": "satisfied",
    }


def test_one_of_two_that_need_each_other_is_not_enough(site: Site) -> None:
    site.offer(site.deb("libc6"))
    assert site.ask(site.deb("egg", depends="hen")) == ("missing", ["missing:hen"])


def test_what_the_distribution_has_already_satisfies(site: Site) -> None:
    site.offer(site.deb("libc6"))
    site.upload(site.deb("libown", provides="own-abi (= 2)"))
    assert site.ask(site.deb("hello", depends="own-abi (>= 2)")) == ("satisfied", [])


def test_what_left_the_distribution_no_longer_satisfies(site: Site) -> None:
    site.offer(site.deb("libc6"))
    site.upload(site.deb("libown"))
    site.depot.remove("libown")
    assert site.ask(site.deb("hello", depends="libown"))[0] == "missing"


def test_what_excludes_each_other_is_a_conflict(site: Site) -> None:
    site.offer(site.deb("old", conflicts="new"), site.deb("new"))
    result = site.upload(site.deb("hello", depends="old, new"))["hello"]
    assert (result.status, result.pipeline["dependencies"]) == ("pending_review", "conflict")
    assert [finding.summary for finding in result.findings] == [
        "old (= 1.0-1) conflicts with new, which is new (= 1.0-1); "
        "new (= 1.0-1) is needed by hello (= 1.0-1), old (= 1.0-1) is needed by hello (= 1.0-1)"
    ]


def test_without_base_sources_what_is_missing_is_a_warning_that_says_what_to_do(site: Site) -> None:
    site.offer(site.deb("libc6"), based=False)
    result = site.upload(site.deb("hello", depends="libc6"))["hello"]
    assert (result.status, result.pipeline["dependencies"]) == ("published", "missing")
    sql = "SELECT v.message FROM verdicts v WHERE v.scanner = 'dependencies'"
    [(message,)] = site.depot.workspace.catalog.database.execute(sql).fetchall()
    assert f"`entrepot dist set {STABLE} --base SOURCE`" in message


@pytest.mark.parametrize(("action", "status"), [("warn", "published"), ("block", "rejected")])
def test_the_settings_say_what_missing_packages_lead_to(site: Site, action: str, status: str) -> None:
    site.offer(site.deb("libc6"))
    site.depot.configure("[scanners.dependencies]", f'missing = "{action}"')
    assert site.upload(site.deb("hello", depends="gone"))["hello"].status == status


def test_a_setting_that_is_none_is_an_error_and_no_pass(site: Site) -> None:
    site.offer(site.deb("libc6"))
    site.depot.configure("[scanners.dependencies]", 'missing = "ignore"')
    result = site.upload(site.deb("hello"))["hello"]
    assert result.status == "pending_review"
    assert "must be one of warn, review, block" in result.message


def test_recommendations_that_nothing_meets_are_told_on_request_and_hold_nothing_up(site: Site) -> None:
    site.offer(site.deb("logo", depends="gone"), site.deb("sound"))
    hello = site.deb("hello", recommends="logo | picture, sound, colour (>= 2)")
    assert site.ask(hello) == ("satisfied", [])
    site.depot.remove("hello")
    site.depot.configure("[scanners.dependencies]", "recommends = true")
    result = site.upload(hello)["hello"]
    assert (result.status, result.pipeline["dependencies"]) == ("published", "satisfied")
    assert [(finding.id, finding.severity) for finding in result.findings] == [
        ("recommends:logo | picture", "low"),
        ("recommends:colour (>= 2)", "low"),
    ]


QUESTIONS: dict[str, tuple[str, str]] = {
    "the second of two alternatives": ("nowhere | libc6", "satisfied"),
    "no alternative": ("nowhere | nobody", "missing"),
    "a version that is too old": ("libc6 (>= 3)", "missing"),
    "a virtual package": ("mail-agent", "satisfied"),
    "a version of what is provided with one": ("abi (= 4)", "satisfied"),
    "another version of what is provided with one": ("abi (= 5)", "missing"),
    "a version of what is provided without one": ("mail-agent (>= 1)", "missing"),
    "any architecture of an interpreter that allows it": ("python:any", "satisfied"),
    "any architecture of a library": ("libc6:any", "missing"),
    "the machine's own": ("libc6:native", "satisfied"),
    "of an architecture that is not offered": ("libc6:arm64", "missing"),
}


@pytest.mark.parametrize(("depends", "word"), QUESTIONS.values(), ids=QUESTIONS)
@pytest.mark.client
def test_the_word_is_that_of_apt_get(site: Site, depends: str, word: str) -> None:
    offered = [
        site.deb("libc6", "2.36-9", multi_arch="same"),
        site.deb("exim", provides="mail-agent, abi (= 4)"),
        site.deb("python", multi_arch="allowed"),
    ]
    site.offer(*offered)
    hello = site.deb("hello", depends=depends)
    assert site.ask(hello)[0] == word
    repository = site.folder / "repository"
    repository.mkdir()
    (repository / "Packages").write_bytes(b"\n".join(packages_stanza(path, path.name) for path in (*offered, hello)))
    lines = f"Types: deb\nURIs: file:{repository}\nSuites: ./\nTrusted: yes\n"
    client = AptClient(site.folder / "client", lines)
    assert client.run("apt-get", "-qq", "update").returncode == 0
    run = client.run("apt-get", "-s", "install", "--no-install-recommends", "hello")
    assert (run.returncode == 0) == (word == "satisfied"), run.stdout + run.stderr


def test_a_package_of_another_architecture_is_asked_about_on_a_machine_of_that(site: Site) -> None:
    site.offer(site.deb("libc6", arch="i386"), site.deb("ld", arch="amd64"), architectures=("amd64", "i386"))
    assert site.ask(site.deb("game", arch="i386", depends="libc6")) == ("satisfied", [])
    result = site.upload(site.deb("tool", arch="i386", depends="ld"))["tool"]
    assert [finding.data["machines"] for finding in result.findings] == ["i386"]


def test_a_package_for_all_architectures_is_asked_about_on_every_machine(site: Site) -> None:
    site.offer(site.deb("libc6", arch="amd64"), architectures=("amd64", "i386"))
    result = site.upload(site.deb("data", arch="all", depends="libc6"))["data"]
    assert [finding.data["machines"] for finding in result.findings] == ["i386"]


def test_where_nothing_is_declared_the_base_sources_tell_the_machines(site: Site) -> None:
    site.offer(site.deb("libc6", arch="i386"), architectures=())
    result = site.upload(site.deb("data", arch="all", depends="libc6"))["data"]
    assert [finding.data["machines"] for finding in result.findings] == ["amd64"]


def test_packages_for_machines_that_nobody_knows_are_skipped(site: Site) -> None:
    site.offer(site.deb("libc6"), architectures=(), based=False)
    result = site.upload(site.deb("data", arch="all", depends="libc6"))["data"]
    assert (result.status, result.pipeline["dependencies"]) == ("published", "skipped")


def test_source_packages_and_those_of_installers_are_skipped(site: Site) -> None:
    site.offer(site.deb("libc6"))
    files = [*make_source(site.folder), make_udeb(site.folder, depends="nothing-at-all")]
    results = imports.upload(site.depot.workspace, files, STABLE, publish_after=False).results
    assert {result.pipeline["dependencies"] for result in results} == {"skipped"}
    assert len(results) == 2


def test_metadata_that_cannot_be_understood_is_an_error(site: Site) -> None:
    site.offer(site.deb("libc6"))
    result = site.upload(site.deb("hello", depends="libc6 (>= )"))["hello"]
    assert (result.status, result.pipeline["dependencies"]) == ("pending_review", "error")
    assert "field Depends is malformed" in result.message


def test_a_base_source_that_was_never_synced_is_an_error(site: Site) -> None:
    site.offer(site.deb("libc6"))
    sources.add_source(site.depot.workspace, site.base.draft(site.base.root.as_uri(), name="fresh"))
    repositories.set_distribution(site.depot.workspace, STABLE, {"base_sources": ["base", "fresh"]})
    result = site.upload(site.deb("hello"))["hello"]
    assert result.pipeline["dependencies"] == "error"
    assert "run `entrepot sync fresh`" in result.message


def test_a_base_source_cannot_be_removed_while_it_is_one(site: Site) -> None:
    site.offer(site.deb("libc6"))
    with pytest.raises(ConflictError, match=f"base is a base source of {STABLE}"):
        sources.remove_source(site.depot.workspace, "base")
    repositories.set_distribution(site.depot.workspace, STABLE, {"base_sources": []})
    sources.remove_source(site.depot.workspace, "base")
    assert site.depot.workspace.catalog.repositories.distribution(STABLE).base_sources == ()


def test_base_sources_are_named_once_by_name_or_id_and_told_in_the_audit_log(site: Site) -> None:
    site.offer(site.deb("libc6"), based=False)
    source = site.depot.workspace.catalog.sources.get("base")
    changed = repositories.set_distribution(site.depot.workspace, STABLE, {"base_sources": [str(source.id), "base"]})
    assert changed.base_sources == ("base",)
    assert repositories.distribution_json(site.depot.workspace, changed)["base_sources"] == ("base",)
    [entry] = site.depot.workspace.catalog.database.query("SELECT * FROM audit ORDER BY id DESC LIMIT 1")
    assert json.loads(entry["detail"]) == {"before": {"base_sources": []}, "after": {"base_sources": ["base"]}}


def test_a_base_source_of_another_format_is_refused(site: Site) -> None:
    site.offer(site.deb("libc6"))
    sources.add_source(site.depot.workspace, SourceDraft("el9", "rpm", "https://example.org/el9", verify=False))
    with pytest.raises(UsageError, match="el9 has rpm packages, example takes apt ones"):
        repositories.set_distribution(site.depot.workspace, STABLE, {"base_sources": ["el9"]})
    with pytest.raises(NotFoundError):
        repositories.set_distribution(site.depot.workspace, STABLE, {"base_sources": ["nowhere"]})


@pytest.fixture
def shop(site: Site) -> Site:
    """A source ``upstream`` with ``web``, which needs something of the base source and something of its own."""
    site.offer(site.deb("libc6"), site.deb("libssl", "3.0-1"))
    upstream = AptUpstream(site.folder / "upstream")
    upstream.add(site.deb("web", depends="web-data, libssl"), site.deb("web-data", arch="all", depends="libc6"))
    upstream.add(site.deb("libssl", "3.1-1"))
    upstream.write()
    site.depot.follow(upstream.draft(upstream.root.as_uri()))
    return site


def request(source: str, *packages: str) -> imports.ImportRequest:
    return imports.ImportRequest(source, packages, STABLE, dependencies=True)


def test_dependencies_that_the_base_source_offers_are_not_brought_in(shop: Site) -> None:
    batch = imports.import_packages(shop.depot.workspace, request("upstream", "web"), publish_after=False)
    assert {result.package: result.pipeline["dependencies"] for result in batch.results} == {
        "web": "satisfied",
        "web-data": "satisfied",
    }


def test_without_base_sources_all_dependencies_are_brought_in(shop: Site) -> None:
    repositories.set_distribution(shop.depot.workspace, STABLE, {"base_sources": []})
    plan = imports.plan_import(shop.depot.workspace, request("upstream", "web"))
    assert plan.problems == ["web-data (= 1.0-1) needs libc6, which nothing offers"]
    repositories.set_distribution(shop.depot.workspace, STABLE, {"base_sources": ["base"]})
    plan = imports.plan_import(shop.depot.workspace, request("base", "libssl"))
    assert [row.name for row in plan.packages] == ["libssl"]


def evidence(site: Site, name: str) -> dict[str, object]:
    catalog = site.depot.workspace.catalog
    sql = "SELECT max(id) FROM imports WHERE name = ?"
    [(import_id,)] = catalog.database.execute(sql, [name]).fetchall()
    [stored] = [found for found in catalog.imports.verdicts(import_id) if found.scanner == "dependencies"]
    assert re.fullmatch(r"libsolv [0-9.]+.*", stored.verdict.tool_version)
    return dict(stored.verdict.evidence)


def test_the_evidence_tells_what_would_come_and_from_where(shop: Site) -> None:
    imports.import_packages(shop.depot.workspace, request("upstream", "web"), publish_after=False)
    assert evidence(shop, "web") == {
        "machines": "amd64",
        "base_sources": "base",
        "missing": 0,
        "conflicts": 0,
        "brings_amd64": 3,
        "from_amd64": "base 2, batch 1",
    }
    shop.upload(shop.deb("site", depends="web"))
    assert evidence(shop, "site")["from_amd64"] == "base 2, distribution 2"


def test_a_package_of_the_distribution_that_is_excluded_is_told(site: Site) -> None:
    site.offer(site.deb("libold"))
    site.upload(
        site.deb("battery"), site.deb("mta-one", provides="mta"), site.deb("spare", "3"), site.deb("spare", "1")
    )
    robot = {"breaks": "battery (<< 2), spare (<< 2)", "conflicts": "libold, mta", "provides": "mta"}
    found = site.upload(site.deb("robot", **robot))["robot"]
    assert (found.status, found.pipeline["dependencies"]) == ("published", "satisfied")
    # Clients get the newer spare; libold is no business of the distribution's; of what provides mta a machine has one.
    (finding,) = found.findings
    assert (finding.id, finding.kind, finding.data["version"]) == ("excludes:battery", "excludes", "1.0-1")
    assert finding.summary == (
        f"no machine can have it together with battery 1.0-1, which {STABLE} has:"
        " robot (= 1.0-1) breaks battery (<< 2), which is battery (= 1.0-1)"
    )
    # Together with a battery that it can live with there is nothing to tell; with another one there is.
    assert site.ask(site.deb("robot", "2", **robot), site.deb("battery", "2")) == ("satisfied", [])
    assert site.ask(site.deb("rival", conflicts="robot"), site.deb("robot", "3")) == ("satisfied", ["excludes:robot"])
