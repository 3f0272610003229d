"""Closures beside those of the real apt-get, in a root of its own with nothing installed."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path

import pytest

from entrepot.contracts import Candidate
from entrepot_plugins.apt.solver import AptSolver
from entrepot_plugins.apt.stanzas import split
from support.apt_client import AptClient
from support.shelf import Shelf, package, provided

pytestmark = pytest.mark.client

HELPER = "/usr/lib/apt/apt-helper"
FIELD = re.compile(rb"^(Package|Version|Architecture): (\S+)", re.MULTILINE)


class Apt:
    """apt-get on a flat repository of these candidates, on a machine that has nothing installed."""

    def __init__(self, root: Path, candidates: Iterable[Candidate]) -> None:
        repository = root / "repository"
        repository.mkdir()
        # apt takes nothing without a Filename to be there; of two, the first counts.
        stanzas = (b"Filename: x.deb\nSize: 1\n" + candidate.raw + b"\n\n" for candidate in candidates)
        (repository / "Packages").write_bytes(b"".join(stanzas))
        sources = f"Types: deb\nURIs: file:{repository}\nSuites: ./\nTrusted: yes\n"
        self._client = AptClient(root / "client", sources)
        updated = self._client.run("apt-get", "-qq", "update")
        assert updated.returncode == 0, updated.stderr

    def closure(self, *names: str) -> set[str] | None:
        """NAME=VERSION of all that apt-get would install, or None if it says that it cannot."""
        run = self._client.run("apt-get", "-s", "install", "--no-install-recommends", *names)
        installed = re.findall(r"^Inst (\S+) \((\S+) ", run.stdout, re.MULTILINE)
        return {f"{name}={version}" for name, version in installed} if run.returncode == 0 else None


class Index:
    """A pool over a whole index, held in memory."""

    def __init__(self, stanzas: Iterable[bytes]) -> None:
        self.by_name: dict[str, list[Candidate]] = {}
        self._by_provided: dict[str, list[Candidate]] = {}
        for number, raw in enumerate(stanzas):
            found = {name: value.decode() for name, value in FIELD.findall(raw)}
            candidate = Candidate(number, found[b"Package"], found[b"Version"], found[b"Architecture"], raw)
            self.by_name.setdefault(candidate.name, []).append(candidate)
            if b"\nProvides:" in raw:
                for name in provided(candidate):
                    self._by_provided.setdefault(name, []).append(candidate)

    def named(self, names: Collection[str]) -> Iterator[Candidate]:
        return (candidate for name in names for candidate in self.by_name.get(name, ()))

    def providing(self, names: Collection[str]) -> Iterator[Candidate]:
        return (candidate for name in names for candidate in self._by_provided.get(name, ()))

    def everything(self) -> Iterator[Candidate]:
        return (candidate for named in self.by_name.values() for candidate in named)


def identities(candidates: Iterable[Candidate]) -> set[str]:
    return {f"{candidate.name}={candidate.version}" for candidate in candidates}


SCENARIOS: dict[str, Sequence[str]] = {
    "the newest version": ["w=1 / Depends: a (>> 1:1)", "a=3", "a=1:2~", "a=1:2", "a=1:2-0.1"],
    "the first alternative": ["w=1 / Depends: b | a", "a=1", "b=1"],
    "an alternative that is needed anyway": ["w=1 / Depends: c, a | b", "c=1 / Depends: b", "a=1", "b=1"],
    "an alternative that nobody has": ["w=1 / Depends: a | b", "b=1"],
    "an alternative that needs what nobody has": ["w=1 / Depends: a | b", "a=1 / Depends: x", "b=1"],
    "an unversioned Provides and a version": ["w=1 / Depends: v (>= 1) | b", "a=1 / Provides: v", "b=1"],
    "a versioned Provides": ["w=1 / Depends: v (>= 2)", "a=1 / Provides: v (= 2)", "b=1 / Provides: v (= 1)"],
    "a Provides with an inequality": ["w=1 / Depends: v", "a=1 / Provides: v (>= 2)"],
    "a real package and one that provides it": ["w=1 / Depends: v", "a=1 / Provides: v", "v=1"],
    "providers of different priority": [
        "w=1 / Depends: v",
        "a=1 / Priority: extra / Provides: v",
        "b=1 / Priority: important / Provides: v",
    ],
    "a conflict with what one provides": ["w=1 / Depends: a", "a=1 / Provides: v / Conflicts: v"],
    "a conflict with what another one provides": [
        "w=1 / Depends: a, b",
        "a=1 / Provides: v / Conflicts: v",
        "b=1 / Provides: v",
    ],
    "a Breaks of a version": ["w=1 / Depends: a / Breaks: a (<< 2)", "a=1"],
    "a conflict with a version of an unversioned Provides": [
        "w=1 / Depends: a / Conflicts: v (<< 2)",
        "a=1 / Provides: v",
    ],
    "a package that allows :any": ["w=1 / Depends: a:any", "a=1 / Multi-Arch: allowed"],
    "a package that does not allow :any": ["w=1 / Depends: a:any", "a=1 / Multi-Arch: foreign"],
    "a package that provides and allows :any": ["w=1 / Depends: v:any", "a=1 / Multi-Arch: allowed / Provides: v"],
    "the machine's own architecture": ["w=1 / Depends: a:amd64", "a=1"],
    "an architecture that the machine does not have": ["w=1 / Depends: a:i386", "a=1"],
    "a package for all architectures": ["w:all=1 / Depends: a", "a:all=1"],
    "a legacy operator": ["w=1 / Depends: a (< 1)", "a=1"],
    "a circle": ["w=1 / Depends: a", "a=1 / Depends: b", "b=1 / Depends: w, a"],
    "a Pre-Depends": ["w=1 / Pre-Depends: a", "a=1 / Depends: b", "b=1"],
}


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda name: name)
def test_apt_comes_to_the_same_closure(scenario: str, tmp_path: Path) -> None:
    shelf = Shelf(map(package, SCENARIOS[scenario]))
    closure = AptSolver().closure([shelf.find("w")], shelf, architecture="amd64")
    ours = None if closure.missing or closure.conflicts else identities(closure.packages)
    assert Apt(tmp_path, shelf.candidates).closure("w") == ours


@pytest.fixture(scope="module")
def machine_index() -> Index:
    """The index of the machine's own APT sources, as its last ``apt-get update`` left it."""
    if not Path(HELPER).is_file():
        pytest.skip(f"there is no {HELPER}")
    targets = ["apt-get", "indextargets", "--format", "$(FILENAME)", "Created-By: Packages"]
    listed = subprocess.run(targets, check=True, capture_output=True, text=True).stdout.split()
    present = [path for path in listed if Path(path).is_file()]
    if not present:
        pytest.skip("the machine has no APT index: run apt-get update first")
    # Not decompressed in one go, as that would leave out the empty line between two of them.
    texts = [subprocess.run([HELPER, "cat-file", path], check=True, capture_output=True).stdout for path in present]
    return Index(stanza for text in texts for stanza in split([text], name="the machine's index"))


@pytest.fixture(scope="module")
def machine_apt(machine_index: Index, tmp_path_factory: pytest.TempPathFactory) -> Apt:
    candidates = (candidate for group in machine_index.by_name.values() for candidate in group)
    return Apt(tmp_path_factory.mktemp("apt"), candidates)


@pytest.mark.network
@pytest.mark.parametrize("name", ["hello", "nginx", "build-essential", "postgresql", "gnome-core"])
def test_a_real_closure_is_what_apt_installs(name: str, machine_index: Index, machine_apt: Apt, tmp_path: Path) -> None:
    if name not in machine_index.by_name:
        pytest.skip(f"the machine's index has no {name}")
    theirs = machine_apt.closure(name)
    assert theirs is not None
    wanted = [found for found in machine_index.named([name]) if f"{name}={found.version}" in theirs]
    closure = AptSolver().closure(wanted[:1], machine_index, architecture="amd64")
    ours = identities(closure.packages)
    # apt may take the first alternative before it sees that another one comes in anyway (gnome-core: one font of 805
    # packages). We never bring more than it does, and what we bring is enough for it.
    assert ours <= theirs
    assert len(theirs - ours) <= len(theirs) // 400
    assert Apt(tmp_path, closure.packages).closure(name) == ours
