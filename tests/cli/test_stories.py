"""What somebody runs into on the way from an upstream to what is published: how it is told, and how it goes on."""

from __future__ import annotations

import gzip
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from support.advisories import osv, package, write_zip
from support.apt_upstream import AptUpstream
from support.debs import make_deb
from support.gnupg import gnupg_home, make_key
from support.program import Program
from support.rpm_upstream import RpmUpstream
from support.rpms import Key, make_rpm
from support.upstream import Fault, Upstream

pytestmark = pytest.mark.isolated

RELEASES = ("/dists/stable/InRelease", "/dists/stable/Release")
REPOMD = ("/repodata/repomd.xml",)
GZIP = b"\x1f\x8b"


@dataclass
class Stage:
    """A program that follows the source ``vendor`` of a server, and publishes into ``folder/tree``."""

    program: Program
    server: Upstream
    folder: Path

    def published(self) -> list[str]:
        """The names of all packages in the tree."""
        return sorted(path.name for path in (self.folder / "tree").rglob("*") if path.suffix in (".deb", ".rpm"))

    def anywhere(self, text: str) -> bool:
        """Whether a file of the tree, or its name, has a text; what is compressed with gzip is looked into."""
        files = [path for path in (self.folder / "tree").rglob("*") if path.is_file()]
        return any(text in path.name or text.encode() in unpacked(path.read_bytes()) for path in files)


def unpacked(content: bytes) -> bytes:
    """The file itself where it is compressed."""
    return gzip.decompress(content) if content.startswith(GZIP) else content


@pytest.fixture
def upstream(tmp_path: Path) -> AptUpstream:
    """Three packages; it is not signed."""
    upstream = AptUpstream(tmp_path / "upstream")
    upstream.add(*(make_deb(tmp_path, name) for name in ("hello", "leaky", "fine")))
    upstream.write()
    return upstream


@pytest.fixture
def stage(program: Program, upstream: AptUpstream, tmp_path: Path) -> Iterator[Stage]:
    """The upstream is followed, not yet synced; ``shop/bookworm`` is there for it."""
    with Upstream(root=upstream.root) as server:
        follow_apt(program, server.url)
        program("repo", "create", "shop", "--format", "apt", "--publish-to", tmp_path / "tree", "--no-sign")
        program("dist", "create", "shop/bookworm")
        yield Stage(program, server, tmp_path)


def follow_apt(program: Program, url: str) -> None:
    options = ("--distribution", "stable", "--arch", "amd64", "--no-verify", "--retries", "0")
    program("source", "add", "vendor", url, "--format", "apt", *options)


def follow_rpm(program: Program, url: str) -> None:
    program("source", "add", "vendor", url, "--format", "rpm", "--no-verify", "--retries", "0")


def advise(folder: Path, *names: str) -> Path:
    """Vulnerability data that knows of a serious hole in each of these packages."""
    records = [
        osv(f"CVE-2026-{1000 + n}", package("Debian:12", name, fixed="9"), database_specific={"severity": "HIGH"})
        for n, name in enumerate(names)
    ]
    return write_zip(folder / "advisories.zip", records)


def states(rows: list[dict[str, Any]]) -> dict[str, str]:
    return {row["name"]: row["state"] for row in rows}


def test_what_is_vulnerable_waits_until_somebody_lets_it_in_or_refuses_it(stage: Stage) -> None:
    program = stage.program
    program("advisories", "add", "debian", advise(stage.folder, "hello", "leaky"))
    program("sync")
    batch = program.json("import", "vendor", "hello", "leaky", "fine", "--to", "bookworm", code=4)
    assert [(result["package"], result["status"]) for result in batch["results"]] == [
        ("hello", "pending_review"),
        ("leaky", "pending_review"),
        ("fine", "published"),
    ]
    waiting = program.json("review", "list")
    assert states(waiting) == {"hello": "pending_review", "leaky": "pending_review"}
    assert "1 vulnerability of severity high or worse: CVE-2026-1000 (high, fixed in 9)" in waiting[0]["message"]
    assert stage.published() == ["fine_1.0-1_amd64.deb"]
    assert not stage.anywhere("hello")

    hello, leaky = (str(row["id"]) for row in waiting)
    program("review", "approve", hello, "--justification", "behind a proxy", "--expires-in-days", "30")
    assert "rejected leaky 1.0-1" in program("review", "reject", leaky, "--justification", "no").stdout
    program("publish", "bookworm", "--force")
    assert stage.published() == ["fine_1.0-1_amd64.deb", "hello_1.0-1_amd64.deb"]
    assert stage.anywhere("Package: hello")
    assert not stage.anywhere("leaky")
    assert program.json("review", "list") == []
    (approved,) = program.json("review", "show", hello)["reviews"]
    assert (approved["decision"], approved["justification"]) == ("approve", "behind a proxy")
    assert approved["expires_at"] > approved["created_at"]
    assert states(program.json("review", "list", "--state", "rejected")) == {"leaky": "rejected"}


def test_what_upstream_dropped_is_told_and_comes_in_newer_after_a_sync(stage: Stage, upstream: AptUpstream) -> None:
    program = stage.program
    program("sync")
    upstream.remove("hello")
    upstream.add(make_deb(stage.folder, "hello", "1.0-2"))
    upstream.write()
    result = program("import", "vendor", "hello", "--to", "bookworm", code=1)
    assert (
        "vendor no longer has pool/main/h/hello/hello_1.0-1_amd64.deb: upstream dropped hello 1.0-1 "
        "(run `entrepot sync vendor` and choose a version that is there now)"
    ) in result.stdout
    assert stage.published() == []
    program("sync", "vendor")
    program("import", "vendor", "hello", "--to", "bookworm")
    assert stage.published() == ["hello_1.0-2_amd64.deb"]


@pytest.mark.parametrize(
    ("follow", "paths", "fault", "told", "hint"),
    [
        (
            follow_apt,
            RELEASES,
            Fault(status=404),
            "neither InRelease nor Release at {url}dists/stable",
            "check the URL",
        ),
        (
            follow_apt,
            RELEASES,
            Fault(auth=("a", "b")),
            "{url}dists/stable/InRelease: the server answered 401",
            "a user",
        ),
        (follow_apt, RELEASES, Fault(status=503), "{url}dists/stable/InRelease: the server answered 503", "try again"),
        (follow_rpm, REPOMD, Fault(status=404), "{url}repodata/repomd.xml: the server answered 404", "check the URL"),
        (
            follow_rpm,
            REPOMD,
            Fault(auth=("a", "b")),
            "{url}repodata/repomd.xml: the server answered 401",
            "a user name",
        ),
        (follow_rpm, REPOMD, Fault(status=429), "{url}repodata/repomd.xml: the server answered 429", "--concurrency"),
    ],
)
def test_a_source_that_gives_no_index_is_named_with_what_to_check(
    program: Program, tmp_path: Path, follow: Any, paths: tuple[str, ...], fault: Fault, told: str, hint: str
) -> None:
    with Upstream(files=dict.fromkeys(paths, b"")) as server:
        follow(program, server.url)
        for path in paths:
            server.fail(path, fault)
        error = program("sync", "vendor", code=1).stderr
        assert told.format(url=server.url) in error
        assert hint in error.partition("Hint: ")[2]
        problem = program.json("sync", "vendor", code=1)
        assert told.format(url=server.url) in problem["detail"]
    (source,) = program.json("source", "list")
    assert (source["packages"], source["last_sync"]) == (0, None)


@pytest.mark.parametrize(
    ("follow", "index"), [(follow_apt, "dists/stable/InRelease"), (follow_rpm, "repodata/repomd.xml")]
)
def test_a_server_that_is_not_there_is_named_with_what_to_check(program: Program, follow: Any, index: str) -> None:
    with Upstream() as server:
        url = server.url
    follow(program, url)
    error = program("sync", code=1).stderr
    assert f"Error: {url}{index}: Connection refused (tried once)\n" in error
    assert error.endswith("Hint: check the URL, the network, and whether a proxy is needed (--proxy)\n")


def test_what_was_synced_stays_when_the_server_is_gone(stage: Stage) -> None:
    stage.program("sync")
    (before,) = stage.program.json("source", "list")
    for path in RELEASES:
        stage.server.fail(path, Fault(status=404))
    stage.program("sync", code=1)
    (after,) = stage.program.json("source", "list")
    assert (after["packages"], after["last_sync"]) == (3, before["last_sync"])


def test_a_sync_while_somebody_writes_to_the_catalog_says_so(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("entrepot.catalog.database.BUSY_SECONDS", 0.01)
    with closing(sqlite3.connect(stage.program.home / "catalog.db", isolation_level=None)) as writer:
        writer.execute("BEGIN IMMEDIATE")
        error = stage.program("sync", "vendor", code=1).stderr
    assert "Error: another command has been writing to the catalog" in error
    assert "Hint: try again when it has ended; `entrepot task list` shows what runs\n" in error
    assert stage.server.count() == 0
    stage.program("sync", "vendor")


def test_a_package_by_an_unknown_key_passes_where_that_is_soft_and_waits_where_it_is_strict(
    program: Program, tmp_path: Path
) -> None:
    with gnupg_home() as home:
        known, stranger = (Key(home, make_key(home, f"{name} <a@example.org>")) for name in ("Known", "Stranger"))
        upstream = RpmUpstream(tmp_path / "upstream", known)
        upstream.add(make_rpm(tmp_path, "ours", sign_with=known), make_rpm(tmp_path, "theirs", sign_with=stranger))
        upstream.write()
        keyring = tmp_path / "keys.asc"
        keyring.write_bytes(upstream.public_key)
    program("source", "add", "vendor", upstream.root.as_uri(), "--format", "rpm", "--keyring", keyring)
    program("sync")
    program("repo", "create", "shop", "--format", "rpm", "--publish-to", tmp_path / "tree", "--no-sign")
    program("dist", "create", "shop/el9")
    program("dist", "create", "shop/safe", "--policy", "strict")

    batch = program.json("import", "vendor", "ours", "theirs", "--to", "el9")
    assert [(result["status"], result["pipeline"]["gpg"]) for result in batch["results"]] == [
        ("published", "signed_trusted"),
        ("published", "signed_untrusted"),
    ]
    program("import", "vendor", "ours", "theirs", "--to", "safe", code=4)
    why = {row["name"]: row["message"] for row in program.json("review", "list", "--to", "safe")}
    said = f"it is signed by keys that are not known: {stranger.fingerprint} (policies.strict.warn)"
    assert f"signature: warn leads to pending_review: {said}" in why["theirs"]
    assert "signature: " not in why.get("ours", "")


def test_an_upload_that_nobody_signed_passes_where_that_is_soft_and_waits_where_it_is_strict(stage: Stage) -> None:
    program, path = stage.program, make_deb(stage.folder, "mine")
    program("dist", "create", "shop/safe", "--policy", "strict")
    (soft,) = program.json("upload", path, "--to", "bookworm")["results"]
    (strict,) = program.json("upload", path, "--to", "safe", code=4)["results"]
    assert (soft["status"], strict["status"]) == ("published", "pending_review")
    assert soft["pipeline"]["gpg"] == strict["pipeline"]["gpg"] == "unsigned_pass"
    assert any("signature: warn leads to pending_review" in reason for reason in strict["reasons"])


def test_scan_ends_with_what_became_of_it(stage: Stage) -> None:
    program = stage.program
    path = advise(stage.folder, "leaky")
    program("advisories", "add", "debian", path)
    program("sync")
    program("import", "vendor", "hello", "fine", "--to", "bookworm")
    calm = program.json("scan")
    assert (calm["scanned"], calm["worse"]) == (2, 0)

    advise(stage.folder, "leaky", "hello")
    program("advisories", "update")
    for arguments in (("--dry-run",), ()):
        document = program.json("scan", *arguments, code=4)
        (found,) = document["distributions"]
        assert [(row["package"], row["action"]) for row in found["packages"]] == [("hello", "review")]
        assert [row["id"] for row in found["packages"][0]["new_findings"]] == ["CVE-2026-1001"]
    assert states(program.json("review", "list")) == {"hello": "pending_review"}

    assert program.json("scan")["worse"] == 0  # what waits already is not worse once more
    (waiting,) = (stage.folder / "tree").rglob("hello_*.deb")
    lose(program, waiting)
    document = program.json("scan", code=3)
    (failure,) = document["distributions"][0]["failures"]
    assert failure["package"] == "hello 1.0-1"
    assert "Failed: shop/bookworm: hello 1.0-1: " in program("scan", code=3).stderr


def lose(program: Program, published: Path) -> None:
    """Removes a package from the private store, as a bad disk does."""
    content = published.read_bytes()
    copies = [path for path in (program.home / "store").rglob("*") if path.is_file() and path.read_bytes() == content]
    assert copies
    for path in copies:
        path.unlink()
