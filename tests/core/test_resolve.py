"""From what a person types to the packages that are meant."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entrepot.errors import NotFoundError, UsageError
from entrepot.pipeline.resolve import PackageSpec, machines
from entrepot.services import imports, sources
from support.apt_upstream import AptUpstream
from support.debs import make_deb, make_source, make_udeb
from support.workspaces import Depot

# ------------------------------------------------------------------------------------------------------- specs


@pytest.mark.parametrize(
    ("text", "spec"),
    [
        ("nginx", PackageSpec("nginx")),
        (" nginx ", PackageSpec("nginx")),
        ("nginx=1.22.1-9", PackageSpec("nginx", None, "1.22.1-9")),
        ("nginx=1:1.22.1-9", PackageSpec("nginx", None, "1:1.22.1-9")),
        ("libc6:arm64", PackageSpec("libc6", "arm64")),
        ("libc6:arm64=2.36-9", PackageSpec("libc6", "arm64", "2.36-9")),
        ("vim:amd64=2:9.0~rc1+dfsg-1", PackageSpec("vim", "amd64", "2:9.0~rc1+dfsg-1")),
        ("hello:source", PackageSpec("hello", "source")),
        ("a=b=c", PackageSpec("a", None, "b=c")),
        ("libstdc++6", PackageSpec("libstdc++6")),
        ("bash.completion_2", PackageSpec("bash.completion_2")),
    ],
)
def test_a_spec_has_a_name_and_perhaps_an_architecture_and_a_version(text: str, spec: PackageSpec) -> None:
    assert PackageSpec.parse(text) == spec
    assert PackageSpec.parse(str(spec)) == spec


@pytest.mark.parametrize("text", ["", " ", "=", "=1", "nginx=", ":amd64", "nginx:", "nginx:=1", ":=1"])
def test_a_spec_with_an_empty_part_is_not_understood(text: str) -> None:
    with pytest.raises(UsageError, match="is no package") as caught:
        PackageSpec.parse(text)
    assert caught.value.hint == "write NAME, NAME=VERSION or NAME:ARCH=VERSION"


@given(st.text())
def test_any_text_is_a_spec_or_an_error(text: str) -> None:
    try:
        spec = PackageSpec.parse(text)
    except UsageError:
        return
    assert spec.name
    assert PackageSpec.parse(str(spec)) == spec


# ---------------------------------------------------------------------------------------------------- a catalog


@pytest.fixture(scope="module")
def depot(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Depot]:
    folder = tmp_path_factory.mktemp("resolve")
    upstream = AptUpstream(folder / "upstream", architectures=("amd64", "arm64"))
    upstream.add(*(make_deb(folder, "hello", version) for version in ("1.9-1", "1.10-1", "1:0.5-1", "1.10~rc1-1")))
    upstream.add(make_deb(folder, "hello", "1.10-1", "arm64"), make_source(folder, "hello", "1:0.5-1"))
    upstream.add(make_source(folder, "sources-only", "1-1"))
    upstream.add(make_deb(folder, "docs", "2", "all"))
    upstream.add(make_deb(folder, "both", "1", "amd64"), make_deb(folder, "both", "2", "all"))
    upstream.add(make_deb(folder, "split", "2", "amd64"), make_deb(folder, "split", "1", "all"))
    upstream.add(make_udeb(folder, "disk", "9"), make_deb(folder, "disk", "1"), make_udeb(folder, "boot", "3"))
    upstream.add(make_deb(folder, "gone"))
    jammy, noble = folder / "jammy", folder / "noble"
    for suite in (jammy, noble):
        suite.mkdir()
        deb = make_deb(suite, "vendor", "5", files={"suite": suite.name.encode()})
        upstream.add(deb, distribution=suite.name, component=suite.name)
    upstream.write()
    depot = Depot(folder / "depot")
    depot.follow(upstream.draft(upstream.root.as_uri(), architectures=()))
    sources.add_source(depot.workspace, upstream.draft(upstream.root.as_uri(), name="never"))
    upstream.remove("gone")
    upstream.write()
    depot.sync()
    depot.distribute("any")
    depot.distribute("pc", architectures=("amd64",))
    depot.distribute("arms", architectures=("armhf",))
    for name in ("jammy", "noble"):
        depot.distribute(name)
    yield depot
    depot.close()


def plan(depot: Depot, *packages: str, to: str = "any", source: str = "upstream") -> imports.ImportPlan:
    """What an import would bring in."""
    return imports.plan_import(depot.workspace, imports.ImportRequest(source, packages, f"example/{to}"))


def labels(found: imports.ImportPlan) -> Sequence[str]:
    """``name:arch=version`` of each, sorted; nothing may be unresolved."""
    assert found.unresolved == []
    return sorted(f"{row.name}:{row.architecture}={row.version}" for row in found.packages)


@pytest.mark.parametrize(
    ("text", "to", "found"),
    [
        ("hello", "any", ["hello:amd64=1:0.5-1", "hello:arm64=1.10-1"]),
        ("hello", "pc", ["hello:amd64=1:0.5-1"]),
        ("hello:amd64", "any", ["hello:amd64=1:0.5-1"]),
        ("hello:arm64", "pc", ["hello:arm64=1.10-1"]),
        ("hello=1.10-1", "any", ["hello:amd64=1.10-1", "hello:arm64=1.10-1"]),
        ("hello=1.10~rc1-1", "any", ["hello:amd64=1.10~rc1-1"]),
        ("hello=1:0.5-1", "any", ["hello:amd64=1:0.5-1"]),
        ("hello:amd64=1.9-1", "any", ["hello:amd64=1.9-1"]),
        ("hello:source", "any", ["hello:source=1:0.5-1"]),
        ("hello:source=1:0.5-1", "pc", ["hello:source=1:0.5-1"]),
        ("docs", "any", ["docs:all=2"]),
        ("docs", "pc", ["docs:all=2"]),
        ("docs", "arms", ["docs:all=2"]),
        ("docs:amd64", "any", ["docs:all=2"]),
        ("docs:all", "any", ["docs:all=2"]),
        ("both", "any", ["both:all=2"]),
        ("both:amd64=1", "any", ["both:amd64=1"]),
        ("split", "any", ["split:amd64=2"]),
        ("disk", "any", ["disk:amd64=1"]),
        ("boot", "any", ["boot:amd64=3"]),
    ],
)
def test_a_spec_means_the_newest_of_each_architecture_that_fits(
    depot: Depot, text: str, to: str, found: Sequence[str]
) -> None:
    assert labels(plan(depot, text, to=to)) == found


def test_a_package_that_is_meant_twice_comes_once(depot: Depot) -> None:
    assert labels(plan(depot, "docs", "docs=2", "docs:all")) == ["docs:all=2"]


@pytest.mark.parametrize("suite", ["jammy", "noble"])
def test_of_one_version_with_two_contents_the_one_of_the_suite_of_the_same_name_is_meant(
    depot: Depot, suite: str
) -> None:
    (row,) = plan(depot, "vendor", to=suite).packages
    assert row.distribution == suite


@pytest.mark.parametrize(
    ("text", "to", "message", "hint"),
    [
        ("helo", "any", "upstream has no package called 'helo'", "did you mean hello?"),
        ("zeppelin", "any", "upstream has no package called 'zeppelin'", "try `entrepot search zeppelin`"),
        ("gone", "any", "upstream no longer offers gone", "upstream dropped it; search for what replaces it"),
        ("hello=3", "any", "upstream has no version 3 of hello", "it has 1:0.5-1, 1.10-1, 1.10~rc1-1, 1.9-1"),
        ("hello=0.5-1", "any", "upstream has no version 0.5-1 of hello", "it has 1:0.5-1, 1.10-1, 1.10~rc1-1, 1.9-1"),
        ("docs:source", "any", "upstream has no docs for the architectures asked for", "it has all"),
        ("sources-only", "any", "upstream has no sources-only for the architectures asked for", "it has source"),
        ("hello", "arms", "upstream has no hello for the architectures asked for", "it has amd64, arm64, source"),
        ("hello:mips", "any", "upstream has no hello for the architectures asked for", "it has amd64, arm64, source"),
    ],
)
def test_what_cannot_be_meant_is_told_with_what_could(
    depot: Depot, text: str, to: str, message: str, hint: str
) -> None:
    found = plan(depot, text, to=to)
    ((asked, error),) = found.unresolved
    assert (asked, type(error), str(error), error.hint) == (text, NotFoundError, message, hint)
    assert found.packages == []


def test_a_source_that_was_never_synced_says_so(depot: Depot) -> None:
    ((_, error),) = plan(depot, "hello", source="never").unresolved
    assert (str(error), error.hint) == ("never was never synced", "run `entrepot sync never` first")


def test_a_plan_has_what_can_be_found_and_names_the_rest(depot: Depot) -> None:
    found = plan(depot, "docs", "zeppelin", "nginx=")
    assert [row.name for row in found.packages] == ["docs"]
    assert [text for text, _ in found.unresolved] == ["zeppelin", "nginx="]
    document = found.as_json()
    assert document["status"] == "dry_run"
    assert document["size"] == found.packages[0].size
    assert [failure["package"] for failure in document["failures"]] == ["zeppelin", "nginx="]


# ----------------------------------------------------------------------------------------------------- machines

SCOPES = {
    "amd64": ("amd64", "all"),
    "x86_64_v2": ("x86_64_v2", "x86_64", "i686", "noarch"),
    "x86_64": ("x86_64", "i686", "noarch"),
}


@pytest.mark.parametrize(
    ("own", "declared", "wanted_for"),
    [
        ("amd64", "", "amd64"),
        ("amd64 i386", "amd64", "amd64 i386"),
        ("x86_64", "x86_64", "x86_64"),
        ("i686", "x86_64", "x86_64"),
        ("i686 x86_64", "", "x86_64"),
        ("i686", "", "i686"),
        ("i686", "aarch64", "i686"),
        ("i686", "aarch64 x86_64", "x86_64"),
        ("x86_64", "x86_64 x86_64_v2", "x86_64"),
        ("aarch64 x86_64", "aarch64 x86_64", "aarch64 x86_64"),
    ],
)
def test_a_package_is_wanted_for_the_machine_that_installs_it(own: str, declared: str, wanted_for: str) -> None:
    found = machines(own.split(), declared.split(), lambda machine: SCOPES.get(machine, (machine, "noarch")))
    assert list(found) == wanted_for.split()
