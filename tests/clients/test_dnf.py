"""The whole way for RPM: the program brings packages in and publishes them, and the real dnf takes them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from support.dnf_client import DnfClient
from support.gnupg import gnupg_home, make_key
from support.program import Program
from support.rpm_upstream import RpmUpstream
from support.rpms import Key, make_rpm, make_srpm
from support.upstream import Upstream

pytestmark = pytest.mark.client

DIST = "apps/el9/x86_64"
ADVISORIES = b"""\
<?xml version="1.0" encoding="UTF-8"?>
<updates>
<update from="a@example.org" status="final" type="security" version="1"><id>EX-2026:1</id><title>hello</title>
<issued date="2026-01-02 03:04:05"/><severity>Important</severity>
<references><reference href="https://example.org/1" id="CVE-2026-1" type="cve" title="CVE-2026-1"/></references>
<pkglist><collection short="c"><name>c</name>
<package name="hello" version="2.0" release="1" epoch="1" arch="noarch"><filename>h.rpm</filename></package>
</collection></pkglist></update>
<update from="a@example.org" status="final" type="bugfix" version="1"><id>EX-2026:2</id><title>unwanted</title>
<issued date="2026-01-02 03:04:05"/>
<pkglist><collection short="c"><name>c</name>
<package name="unwanted" version="1.0" release="1" epoch="0" arch="noarch"><filename>u.rpm</filename></package>
</collection></pkglist></update>
</updates>
"""
COMPS = b"""\
<?xml version="1.0" encoding="UTF-8"?>
<comps>
<group><id>greetings</id><name>Greetings</name><description/><default>true</default><uservisible>true</uservisible>
<packagelist><packagereq type="mandatory">hello</packagereq></packagelist></group>
<group><id>others</id><name>Others</name><description/><default>true</default><uservisible>true</uservisible>
<packagelist><packagereq type="mandatory">unwanted</packagereq></packagelist></group>
</comps>
"""
MODULES = b"".join(
    b"""\
---
document: modulemd
version: 2
data:
  name: %(name)b
  stream: "2.10"
  version: 1
  context: abcd
  arch: noarch
  summary: A module
  description: A module
  license:
    module: [MIT]
  artifacts:
    rpms:
    - %(name)b-0:1.0-1.noarch
...
"""
    % {b"name": name}
    for name in (b"greeter", b"unwanted")
)


@pytest.fixture(scope="module")
def key() -> Iterator[Key]:
    """The key of the upstream and its packages."""
    with gnupg_home() as home:
        yield Key(home, make_key(home, "Upstream <upstream@example.org>", "rsa3072"))


@pytest.fixture
def upstream(tmp_path: Path, key: Key) -> RpmUpstream:
    upstream = RpmUpstream(tmp_path / "upstream", key)
    folder = tmp_path / "made"
    folder.mkdir()
    upstream.add(
        make_rpm(folder, "hello", "1.0", epoch=1, requires=["hello-data"], sign_with=key),
        make_rpm(folder, "hello", "2.0", epoch=1, requires=["hello-data", "/usr/bin/words"], sign_with=key),
        make_rpm(folder, "hello-data", sign_with=key),
        make_rpm(folder, "words", files={"/usr/bin/words": b"hello"}, arch="x86_64", sign_with=key),
        make_rpm(folder, "greeter", modularity="greeter:2.10:1:abcd", sign_with=key),
        make_rpm(folder, "unwanted", sign_with=key),
        make_srpm(folder, "hello", "2.0", epoch=1, sign_with=key),
    )
    upstream.attach("updateinfo", ADVISORIES)
    upstream.attach("group", COMPS, "comps.xml")
    upstream.attach("modules", MODULES)
    upstream.attach("productid", b"whatever it is", "productid")
    upstream.write()
    (tmp_path / "upstream.asc").write_bytes(upstream.public_key)
    return upstream


@pytest.fixture
def server(upstream: RpmUpstream) -> Iterator[Upstream]:
    with Upstream(root=upstream.root) as server:
        yield server


@pytest.fixture
def tree(tmp_path: Path) -> Iterator[Upstream]:
    """The server before the published tree."""
    (tmp_path / "tree").mkdir()
    with Upstream(root=tmp_path / "tree") as server:
        yield server


@pytest.fixture
def program(tmp_path: Path, tree: Upstream) -> Iterator[Program]:
    """The program with a repository for RPM, which a key of its own signs."""
    with gnupg_home() as home:
        make_key(home, "Apps <apps@example.org>", "rsa3072")
        program = Program(tmp_path / "home")
        program("init")
        (program.home / "entrepot.toml").write_text(f'[signers.gpg]\nhome = "{home}"\n')
        target = ("--publish-to", tmp_path / "tree", "--public-url", tree.url)
        program("repo", "create", "apps", "--format", "rpm", *target)
        yield program


def client(tmp_path: Path, name: str = "client") -> DnfClient:
    """A client with the .repo file that was published, as it is."""
    return DnfClient(tmp_path / name, (tmp_path / "tree/apps.repo").read_text())


def follow(program: Program, tmp_path: Path, server: Upstream, *options: str) -> None:
    keyring = ("--keyring", tmp_path / "upstream.asc")
    program("source", "add", "upstream", server.url, "--format", "rpm", *keyring, *options)
    program("sync", "upstream")


def test_files_that_are_uploaded_are_installed_by_dnf(tmp_path: Path, program: Program, tree: Upstream) -> None:
    program("dist", "create", DIST, "--arch", "x86_64")
    files = [make_rpm(tmp_path, "hello", requires=["data"]), make_rpm(tmp_path, "data", arch="x86_64")]
    program("upload", *files, "--to", DIST)
    dnf = client(tmp_path)
    assert dnf.install("hello") == {"hello-1.0-1.noarch", "data-1.0-1.x86_64"}
    program("upload", make_rpm(tmp_path, "hello", "2.0"), "--to", DIST)
    assert dnf.install("hello-2.0") == {"hello-2.0-1.noarch", "data-1.0-1.x86_64"}
    assert tree.count(status=404) == 0


def test_packages_come_from_upstream_with_all_that_they_need_and_what_is_said_of_them(
    tmp_path: Path, program: Program, server: Upstream
) -> None:
    program("dist", "create", DIST, "--arch", "x86_64", "--gpgcheck", "--gpgkey", (tmp_path / "upstream.asc").as_uri())
    follow(program, tmp_path, server, "--repo-gpgcheck")
    # The old version has a known vulnerability, so that a person has to let it in.
    program("import", "upstream", "hello=1:1.0-1", "greeter", "--with-dependencies", "--to", DIST, code=4)
    (waiting,) = program.json("review", "list")
    program("review", "approve", str(waiting["id"]), "--justification", "needed for a test")
    dnf = client(tmp_path)
    assert dnf.install("hello") == {"hello-1.0-1.noarch", "hello-data-1.0-1.noarch"}
    program("import", "upstream", "hello", "hello:source", "--with-dependencies", "--to", DIST)
    assert dnf.packages() >= {"hello-1:2.0-1.noarch", "words-0:1.0-1.x86_64"}
    assert not any(name.startswith("unwanted") for name in dnf.packages())
    assert dnf.advisories() == ["EX-2026:1 Important/Sec. hello-1:2.0-1.noarch"]
    assert dnf.groups() == ["Available Groups:", "Greetings"]
    assert "greeter" in dnf.modules()
    assert "unwanted" not in dnf.modules()
    dnf.ask("module", "enable", "greeter:2.10")
    assert "greeter-0:1.0-1.noarch" in dnf.packages()
    assert dnf.install("hello") == {"hello-2.0-1.noarch", "hello-data-1.0-1.noarch", "words-1.0-1.x86_64"}
    (productid,) = (tmp_path / "tree/el9/x86_64/repodata").glob("*-productid*")
    assert productid.read_bytes()


def test_a_tree_of_ours_is_an_upstream_for_the_next(
    tmp_path: Path, program: Program, server: Upstream, tree: Upstream
) -> None:
    program("dist", "create", DIST, "--arch", "x86_64")
    follow(program, tmp_path, server)
    program("import", "upstream", "hello", "--with-dependencies", "--to", DIST)
    repo = tmp_path / "tree/apps.repo"
    program("source", "add", "--from-repo", repo, "--keyring", tmp_path / "tree/apps.asc", "--repo-gpgcheck")
    (added,) = [item["name"] for item in program.json("source", "list") if item["name"] != "upstream"]
    program("sync", added)
    found = program.json("search", "hello", "--source", added)
    assert {item["name"] for item in found} >= {"hello", "hello-data"}
    before = program.json("search", "hello", "--source", "upstream", "--all-versions")
    assert {item["sha256"] for item in found} <= {item["sha256"] for item in before}


def test_a_noarch_package_is_in_the_distribution_of_each_architecture_and_kept_once(
    tmp_path: Path, program: Program
) -> None:
    package = make_rpm(tmp_path, "hello")
    for architecture in ("x86_64", "aarch64"):
        program("dist", "create", f"apps/el9/{architecture}", "--arch", architecture)
        program("upload", package, "--to", f"apps/el9/{architecture}")
    placed = sorted(path.relative_to(tmp_path / "tree").as_posix() for path in (tmp_path / "tree").rglob("*.rpm"))
    assert placed == [f"el9/{name}/Packages/h/hello-1.0-1.noarch.rpm" for name in ("aarch64", "x86_64")]
    assert len(list((program.home / "store").rglob("*.rpm"))) <= 1
    assert client(tmp_path).packages() == {"hello-0:1.0-1.noarch"}


def test_a_rollback_reaches_a_client(tmp_path: Path, program: Program) -> None:
    program("dist", "create", DIST, "--arch", "x86_64")
    program("upload", make_rpm(tmp_path, "hello"), "--to", DIST)
    program("upload", make_rpm(tmp_path, "hello", "2.0"), "--to", DIST)
    dnf = client(tmp_path)
    assert dnf.packages() == {"hello-0:1.0-1.noarch", "hello-0:2.0-1.noarch"}
    program("publish", DIST, "--version", "1")
    assert dnf.packages() == {"hello-0:1.0-1.noarch"}


def test_packages_that_are_signed_anew_are_checked_by_dnf_with_our_key_alone(
    tmp_path: Path, program: Program, server: Upstream
) -> None:
    program("dist", "create", DIST, "--arch", "x86_64", "--gpgcheck")
    follow(program, tmp_path, server)
    program("import", "upstream", "hello", "--with-dependencies", "--resign", "--to", DIST)
    program("upload", make_rpm(tmp_path, "extra"), "--resign", "--to", DIST)
    dnf = client(tmp_path)
    assert "extra-1.0-1.noarch" in dnf.install("hello", "extra")
    assert "upstream" not in (tmp_path / "tree/apps.repo").read_text()
    again = program.json("import", "upstream", "hello", "--resign", "--to", DIST)
    assert [result["status"] for result in again["results"]] == ["already_published"]


def test_a_path_that_only_file_lists_have_brings_the_package_that_has_it(
    tmp_path: Path, program: Program, server: Upstream, upstream: RpmUpstream
) -> None:
    upstream.add(
        make_rpm(tmp_path, "reader", requires=["/usr/share/book/text"]),
        make_rpm(tmp_path, "book", files={"/usr/share/book/text": b"once upon a time"}),
    )
    upstream.write()
    program("dist", "create", DIST, "--arch", "x86_64")
    follow(program, tmp_path, server)
    program("import", "upstream", "reader", "--with-dependencies", "--to", DIST)
    assert client(tmp_path).install("reader") == {"reader-1.0-1.noarch", "book-1.0-1.noarch"}
