"""RPM packages, uploaded into a distribution that has base sources: what the scanner ``dependencies`` says."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from entrepot.models import SourceDraft
from entrepot.services import imports, repositories
from support.rpm_upstream import RpmUpstream
from support.rpms import make_rpm, make_srpm
from support.workspaces import REPOSITORY, Depot

EL9 = f"{REPOSITORY}/el9"


@pytest.fixture
def depot(tmp_path: Path) -> Iterator[Depot]:
    """``el9`` for x86_64, on a base source that has a library of both widths, a program and a rich dependency."""
    upstream = RpmUpstream(tmp_path / "upstream")
    upstream.add(
        make_rpm(tmp_path, "glibc", "2.34", arch="x86_64", provides=["libc.so.6()(64bit)"]),
        make_rpm(tmp_path, "glibc", "2.34", arch="i686", provides=["libc.so.6"]),
        make_rpm(tmp_path, "bash", arch="x86_64", files={"/usr/bin/bash": b"", "/usr/share/bash/rc": b""}),
        make_rpm(tmp_path, "mail", "4", provides=["mta = 4"]),
        make_rpm(tmp_path, "post", "3", conflicts=["mail"]),
    )
    upstream.write()
    depot = Depot(tmp_path / "depot", format_name="rpm")
    depot.follow(SourceDraft("base", "rpm", upstream.root.as_uri(), verify=False))
    repositories.create_distribution(depot.workspace, EL9, architectures=["x86_64"], base_sources=["base"])
    yield depot
    depot.close()


def ask(depot: Depot, *packages: Path) -> tuple[str, list[str]]:
    """What is said of the first package: the word, and the ids of the findings of this scanner."""
    result = imports.upload(depot.workspace, packages, EL9, publish_after=False).results[0]
    kinds = ("missing:", "conflict:", "recommends:", "excludes:")
    return result.pipeline["dependencies"], [found.id for found in result.findings if found.id.startswith(kinds)]


QUESTIONS: dict[str, tuple[Sequence[str], str, list[str]]] = {
    "a library": (["libc.so.6()(64bit)"], "satisfied", []),
    "a version of what is provided": (["mta >= 4"], "satisfied", []),
    "a version that nothing has": (["mta >= 5"], "missing", ["missing:mta >= 5"]),
    "a program": (["/usr/bin/bash"], "satisfied", []),
    "a path that only the file lists have": (["/usr/share/bash/rc"], "satisfied", []),
    "a path that nothing has": (["/usr/bin/zsh"], "missing", ["missing:/usr/bin/zsh"]),
    "either of two": (["(zsh or bash)"], "satisfied", []),
    "both of two": (["(zsh and bash)"], "missing", ["missing:(zsh and bash)"]),
    "a condition that does not hold": (["(zsh if fish)"], "satisfied", []),
    "a condition that holds": (["(zsh if bash)", "bash"], "missing", ["missing:(zsh if bash)"]),
    "features of rpm itself": (["rpmlib(CompressedFileNames) <= 3.0.4-1"], "satisfied", []),
}


@pytest.mark.parametrize(("requires", "word", "findings"), QUESTIONS.values(), ids=QUESTIONS)
def test_requirements_are_told_as_clients_understand_them(
    depot: Depot, tmp_path: Path, requires: Sequence[str], word: str, findings: list[str]
) -> None:
    assert ask(depot, make_rpm(tmp_path, "hello", arch="x86_64", requires=requires)) == (word, findings)


def test_what_excludes_each_other_is_a_conflict(depot: Depot, tmp_path: Path) -> None:
    word, findings = ask(depot, make_rpm(tmp_path, "hello", requires=["mail", "post"]))
    assert word == "conflict"
    assert len(findings) == 1


def test_packages_that_come_in_together_satisfy_each_other(depot: Depot, tmp_path: Path) -> None:
    egg = make_rpm(tmp_path, "egg", requires=["hen = 1.0-1"])
    hen = make_rpm(tmp_path, "hen", requires=["egg", "nest >= 2"])
    straw = make_rpm(tmp_path, "straw", provides=["nest = 2"])
    results = imports.upload(depot.workspace, [egg, hen, straw], EL9, publish_after=False).results
    assert {(result.package, result.status, result.pipeline["dependencies"]) for result in results} == {
        (name, "published", "satisfied") for name in ("egg", "hen", "straw")
    }
    assert ask(depot, make_rpm(tmp_path, "chick", requires=["nest = 2"])) == ("satisfied", [])


def test_who_needs_what_is_missing_is_named(depot: Depot, tmp_path: Path) -> None:
    depot.configure("[scanners.dependencies]", 'missing = "warn"')
    library = make_rpm(tmp_path, "library", "2", requires=["libgone.so.1"])
    program = make_rpm(tmp_path, "program", requires=["library"])
    results = imports.upload(depot.workspace, [library, program], EL9, publish_after=False).results
    summaries = {result.package: [finding.summary for finding in result.findings] for result in results}
    sentence = "library-2-1.noarch needs libgone.so.1, which nothing offers on x86_64"
    assert sentence in summaries["library"]
    assert sentence in summaries["program"]


def test_a_package_of_32_bits_is_installed_on_a_machine_of_64(depot: Depot, tmp_path: Path) -> None:
    game = make_rpm(tmp_path, "game", arch="i686", requires=["libc.so.6", "libc.so.6()(64bit)"])
    assert ask(depot, game) == ("satisfied", [])
    repositories.set_distribution(depot.workspace, EL9, {"architectures": ["i686"]})
    other = make_rpm(tmp_path, "other", arch="i686", requires=["libc.so.6", "libc.so.6()(64bit)"])
    assert ask(depot, other) == ("missing", ["missing:libc.so.6()(64bit)"])


def test_recommendations_that_nothing_meets_are_told_on_request(depot: Depot, tmp_path: Path) -> None:
    depot.configure("[scanners.dependencies]", "recommends = true")
    hello = make_rpm(tmp_path, "hello", recommends=["bash", "logo", "(icons if bash)", "(icons if fish)"])
    assert ask(depot, hello) == ("satisfied", ["recommends:logo", "recommends:(icons if bash)"])


def test_source_packages_are_skipped(depot: Depot, tmp_path: Path) -> None:
    assert ask(depot, make_srpm(tmp_path, "hello"))[0] == "skipped"


def test_a_package_of_the_distribution_that_is_excluded_is_told(depot: Depot, tmp_path: Path) -> None:
    ask(depot, make_rpm(tmp_path, "battery"), make_rpm(tmp_path, "lamp"))
    robot = make_rpm(tmp_path, "robot", conflicts=["battery < 2", "lamp < 1", "mail"], obsoletes=["lamp"])
    assert ask(depot, robot) == ("satisfied", ["excludes:battery"])
