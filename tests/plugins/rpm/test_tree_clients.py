"""The real dnf, createrepo_c and libsolv read our trees, signed by the real gpg, set up by the trees' own files."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from entrepot.contracts import Signer, TreeTools
from entrepot.models import Distribution, Extra
from entrepot.publish.encoders import COMPRESSIONS
from entrepot.publish.pieces import IndexRenderer, PieceCache
from entrepot_plugins.rpm.header import RpmReader
from entrepot_plugins.rpm.library import createrepo, library
from entrepot_plugins.rpm.tree import RpmTree
from entrepot_plugins.signers.gpg import GpgSignerFactory
from support.dnf_client import DnfClient
from support.gnupg import gnupg_home, make_key
from support.rpm_views import RpmView, a_rpm_distribution, a_rpm_repository, extra, packages_of
from support.rpms import Key, make_rpm, make_srpm
from support.upstream import Upstream
from support.views import NOW, write_tree

pytestmark = pytest.mark.client

ADVISORY = b"""\
<update from="a@example.org" status="final" type="security" version="1"><id>EX-2026:1</id>
<title>hello &amp; more</title>
<issued date="2026-01-02 03:04:05"/><severity>Critical</severity><description>Fixes &lt;it&gt;</description>
<references><reference href="https://example.org/1" id="CVE-2026-1" type="cve" title="CVE-2026-1"/></references>
<pkglist><collection short="c"><name>c</name>
<package name="hello" version="2.0" release="1" epoch="0" arch="noarch" src="hello-2.0-1.src.rpm">
<filename>hello-2.0-1.noarch.rpm</filename></package></collection></pkglist></update>"""
GROUP = b"""\
<group><id>greetings</id><name>Greetings</name><description>All of them</description><default>true</default>
<uservisible>true</uservisible><packagelist><packagereq type="mandatory">hello</packagereq></packagelist></group>"""
ENVIRONMENT = b"""\
<environment><id>all</id><name>All</name><description/><display_order>1</display_order>
<grouplist><groupid>greetings</groupid></grouplist></environment>"""
MODULE = b"""\
---
document: modulemd
version: 2
data:
  name: greeter
  stream: "2.10"
  version: 1
  context: abcd
  arch: noarch
  summary: Says hello
  description: Says hello
  license:
    module: [MIT]
  profiles:
    default:
      rpms: [greeter]
  artifacts:
    rpms:
    - greeter-0:1.0-1.noarch
"""
DEFAULTS = b"""\
---
document: modulemd-defaults
version: 1
data:
  module: greeter
  stream: "2.10"
  profiles:
    "2.10": [default]
"""


@pytest.fixture(scope="module")
def key() -> Iterator[Key]:
    with gnupg_home() as home:
        yield Key(home, make_key(home, "Archive <archive@example.org>", "rsa3072"))


@pytest.fixture(scope="module")
def signer(key: Key) -> Signer:
    return GpgSignerFactory().open(None, {"home": str(key.home)}, key.home)


class Site:
    """A folder that becomes a published tree."""

    def __init__(self, folder: Path, signer: Signer | None, url: str = "") -> None:
        self.folder = folder / "site"
        self.folder.mkdir(exist_ok=True)
        self.signer = signer
        self.repository = a_rpm_repository(public_url=url or self.folder.as_uri())
        self._work = folder
        self._clients = 0

    def publish(
        self, packages: Sequence[Path], extras: Sequence[Extra] = (), distribution: Distribution | None = None
    ) -> Path:
        """Publishes package files; answers where the distribution is."""
        chosen = distribution or a_rpm_distribution()
        infos = [RpmReader().read([path], None) for path in packages]
        for path, info in zip(packages, infos, strict=True):
            target = self.folder / RpmTree().location(info, chosen, "main") / info.files[0].name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)
        version = RpmView(self.repository, chosen, infos, extras)
        renderer = IndexRenderer(PieceCache(self._work / "cache"), version.load, salt="rpm 1")
        tools = TreeTools(renderer, self.signer, NOW, renderer.together, renderer.text)
        write_tree(self.folder, RpmTree().build(version, tools))
        write_tree(self.folder, RpmTree().front(self.repository, [chosen], tools))
        return self.folder / chosen.name

    def client(self) -> DnfClient:
        """A new client, with nothing but what the tree itself offers to set one up."""
        self._clients += 1
        return DnfClient(self._work / f"client-{self._clients}", (self.folder / "example.repo").read_text())


@pytest.mark.parametrize("compression", COMPRESSIONS)
def test_dnf_checks_and_reads_every_index_of_a_signed_tree(tmp_path: Path, signer: Signer, compression: str) -> None:
    site = Site(tmp_path, signer)
    packages = [
        make_rpm(tmp_path, "hello", "1.0~rc1", "1.el9", epoch=2, requires=["hello-data"]),
        make_rpm(tmp_path, "hello-data", files={"/usr/share/hello/a & b": b"text"}),
        make_rpm(tmp_path, "g++", arch="x86_64", changelog=[(1_700_000_000, "Me <me@example.org>", "- made")]),
    ]
    site.publish(packages, distribution=a_rpm_distribution(compressions=(compression,)))
    client = site.client()
    assert client.packages() == {
        "hello-2:1.0~rc1-1.el9.noarch",
        "hello-data-0:1.0-1.noarch",
        "g++-0:1.0-1.x86_64",
    }
    assert client.files("hello-data") == {"/usr/share/hello/a & b"}
    assert "- made" in client.changelog("g++")


def test_dnf_finds_checks_and_installs_signed_packages(tmp_path: Path, key: Key, signer: Signer) -> None:
    packages = [
        make_rpm(tmp_path, "hello", requires=["hello-data"], sign_with=key),
        make_rpm(tmp_path, "hello-data", files={"/usr/share/hello/a & b": b"text"}, sign_with=key),
    ]
    with Upstream(root=tmp_path / "site") as server:
        site = Site(tmp_path, signer, server.url)
        site.publish(packages, distribution=a_rpm_distribution(options={"gpgcheck": True}))
        client = site.client()
        assert client.providers("/usr/share/hello/a & b") == {"hello-data"}
        assert client.download("hello") == {path.name: path.read_bytes() for path in packages}
        assert client.install("hello") == {"hello-1.0-1.noarch", "hello-data-1.0-1.noarch"}
        assert server.count(status=404) == 0
    assert (client.installroot / "usr/share/hello/a & b").read_bytes() == b"text"


def test_a_package_that_is_not_signed_is_refused_where_packages_are_checked(
    tmp_path: Path, key: Key, signer: Signer
) -> None:
    site = Site(tmp_path, signer)
    site.publish([make_rpm(tmp_path)], distribution=a_rpm_distribution(options={"gpgcheck": True}))
    result = site.client().run("install", "hello")
    assert result.returncode != 0
    assert "is not signed" in result.stdout + result.stderr


def test_packages_of_upstream_install_where_only_repomd_is_checked(tmp_path: Path, signer: Signer) -> None:
    site = Site(tmp_path, signer)
    site.publish([make_rpm(tmp_path)])
    assert site.client().install("hello") == {"hello-1.0-1.noarch"}


def test_a_package_that_was_changed_is_refused_though_only_repomd_is_signed(tmp_path: Path, signer: Signer) -> None:
    site = Site(tmp_path, signer)
    root = site.publish([make_rpm(tmp_path)])
    client = site.client()
    client.makecache()
    path = root / "Packages/h/hello-1.0-1.noarch.rpm"
    path.write_bytes(path.read_bytes()[:-1] + b"!")
    result = client.run("install", "hello")
    assert result.returncode != 0
    assert "checksum" in result.stdout + result.stderr


def test_a_repomd_that_was_changed_is_refused(tmp_path: Path, signer: Signer) -> None:
    site = Site(tmp_path, signer)
    repomd = site.publish([make_rpm(tmp_path)]) / "repodata/repomd.xml"
    repomd.write_bytes(repomd.read_bytes().replace(b"<revision>", b"<revision>1"))
    result = site.client().run("makecache")
    assert result.returncode != 0
    assert "GPG signature" in result.stderr


def test_an_index_that_was_changed_is_refused(tmp_path: Path, signer: Signer) -> None:
    site = Site(tmp_path, signer)
    root = site.publish([make_rpm(tmp_path)])
    next(root.glob("repodata/*-primary.xml.gz")).write_bytes(b"\x1f\x8b")
    assert site.client().run("makecache").returncode != 0


def test_an_unsigned_tree_works_as_its_repo_file_says(tmp_path: Path) -> None:
    site = Site(tmp_path, None)
    site.publish([make_rpm(tmp_path)])
    assert site.client().install("hello") == {"hello-1.0-1.noarch"}


@pytest.mark.parametrize("compression", COMPRESSIONS)
def test_an_empty_distribution_is_a_repository(tmp_path: Path, signer: Signer, compression: str) -> None:
    site = Site(tmp_path, signer)
    root = site.publish([], distribution=a_rpm_distribution(compressions=(compression,)))
    assert site.client().packages() == set()
    assert packages_of(root) == {}


@pytest.mark.parametrize("compression", COMPRESSIONS)
def test_dnf_lists_advisories_modules_and_groups(tmp_path: Path, signer: Signer, compression: str) -> None:
    site = Site(tmp_path, signer)
    distribution = a_rpm_distribution(compressions=(compression,))
    old = make_rpm(tmp_path, "hello")
    site.publish([old], distribution=distribution)
    client = site.client()
    client.install("hello")
    extras = [
        extra("advisory", "EX-2026:1", ADVISORY),
        extra("group", "greetings", GROUP),
        extra("environment", "all", ENVIRONMENT),
        extra("module", "greeter", DEFAULTS),
        extra("module", "greeter:2.10", MODULE),
        extra("file:productid", "productid", b"whatever", name="productid"),
    ]
    packages = [old, make_rpm(tmp_path, "hello", "2.0"), make_rpm(tmp_path, "greeter", modularity="greeter:2.10")]
    root = site.publish(packages, extras, distribution)
    assert client.advisories() == ["EX-2026:1 Critical/Sec. hello-2.0-1.noarch"]
    assert "EX-2026:1" in client.ask("updateinfo", "list", "--cve=CVE-2026-1", "--quiet")
    modules = client.modules()
    assert "greeter" in modules
    assert "2.10 [d]" in modules
    assert {"Greetings", "All"} <= set(client.groups())
    path = next(root.glob(f"repodata/*-updateinfo.xml.{compression}"))
    (update,) = createrepo().UpdateInfo(str(path)).updates
    assert (update.id, update.severity, update.title) == ("EX-2026:1", "Critical", "hello & more")


def test_a_group_is_installed_with_its_packages(tmp_path: Path, signer: Signer) -> None:
    site = Site(tmp_path, signer)
    site.publish([make_rpm(tmp_path)], [extra("group", "greetings", GROUP)])
    client = site.client()
    client.ask("group", "install", "greetings")
    assert client.installed() == {"hello-1.0-1.noarch"}


def test_two_sources_with_a_group_of_one_id_give_a_group(tmp_path: Path, signer: Signer) -> None:
    site = Site(tmp_path, signer)
    other = GROUP.replace(b">hello<", b">other<")
    site.publish(
        [make_rpm(tmp_path), make_rpm(tmp_path, "other")],
        [extra("group", "greetings", GROUP), extra("group", "greetings", other)],
    )
    client = site.client()
    client.ask("group", "install", "greetings")
    assert client.installed() <= {"hello-1.0-1.noarch", "other-1.0-1.noarch"}
    assert client.installed()


def test_sources_can_be_fetched(tmp_path: Path, signer: Signer) -> None:
    site = Site(tmp_path, signer)
    root = site.publish([make_rpm(tmp_path), make_srpm(tmp_path)])
    client = site.client()
    assert client.packages() >= {"hello-0:1.0-1.noarch"}
    assert {package["arch"] for package in packages_of(root).values()} == {"noarch", "src"}


def test_a_client_that_read_the_old_repomd_still_finds_what_it_lists(tmp_path: Path, signer: Signer) -> None:
    site = Site(tmp_path, signer)
    first = make_rpm(tmp_path, "first")
    repodata = site.publish([first]) / "repodata"
    old = {name: (repodata / name).read_bytes() for name in ("repomd.xml", "repomd.xml.asc")}
    site.publish([first, make_rpm(tmp_path, "second")])
    for name, data in old.items():
        (repodata / name).write_bytes(data)
    assert site.client().packages() == {"first-0:1.0-1.noarch"}


def test_a_client_goes_on_with_its_cache_when_the_tree_is_another_already(tmp_path: Path, signer: Signer) -> None:
    site = Site(tmp_path, signer)
    first = make_rpm(tmp_path, "first")
    site.publish([first])
    client = site.client()
    client.makecache()
    site.publish([first, make_rpm(tmp_path, "second")])
    result = client.run("install", "first", cached=True)
    assert result.returncode == 0, result.stderr
    assert client.installed() == {"first-1.0-1.noarch"}


def test_a_client_with_a_cache_follows_what_is_published(tmp_path: Path, signer: Signer) -> None:
    site = Site(tmp_path, signer)
    first, second = make_rpm(tmp_path, "first"), make_rpm(tmp_path, "second")
    site.publish([first])
    client = site.client()
    for packages, names in (([first, second], ["first", "second"]), ([second], ["second"]), ([first], ["first"])):
        site.publish(packages)
        assert client.packages() == {f"{name}-0:1.0-1.noarch" for name in names}


def test_createrepo_c_reads_of_our_tree_what_it_writes_itself(tmp_path: Path) -> None:
    packages = [
        make_rpm(tmp_path, "hello", "1.0~rc1", epoch=2, requires=["a >= 1:2-3", "(b or c)"], recommends=["d"]),
        make_rpm(tmp_path, "hello-data", files={"/usr/share/a & <b>": b"text", "/usr/bin/b": b"\x7f"}),
        make_rpm(tmp_path, "other", provides=["x = 1"], conflicts=["y < 2"], obsoletes=["z"], arch="x86_64"),
        make_rpm(tmp_path, "changes", changelog=[(1_700_000_000, "Me <a@example.org> - 1-1", "- made <it>")]),
        make_srpm(tmp_path, "hello"),
    ]
    ours = Site(tmp_path, None).publish(packages)
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    for path in packages:
        shutil.copy2(path, theirs)
    if not shutil.which("createrepo_c"):
        pytest.skip("createrepo_c is not installed")
    subprocess.run(["createrepo_c", "--quiet", "--no-database", theirs], check=True)
    found, expected = packages_of(ours), packages_of(theirs)
    assert found.keys() == expected.keys()
    for pkgid, package in found.items():
        differing = {name for name, value in package.items() if value != expected[pkgid][name]}
        assert differing <= {"location_href", "time_file"}, expected[pkgid]["name"]
        assert package["location_href"].endswith(f"/{expected[pkgid]['location_href']}")


def test_libsolv_reads_every_index(tmp_path: Path) -> None:
    solv = library("solv")
    root = Site(tmp_path, None).publish(
        [make_rpm(tmp_path, requires=["data"]), make_rpm(tmp_path, "data")],
        [extra("advisory", "EX-2026:1", ADVISORY)],
    )
    pool = solv.Pool()
    pool.setdisttype(solv.Pool.DISTTYPE_RPM)
    repo = pool.add_repo("ours")
    reads: Mapping[str, Callable[[Any], bool]] = {
        "primary": lambda file: repo.add_rpmmd(file, None, 0),
        "filelists": lambda file: repo.add_rpmmd(file, "FL", solv.Repo.REPO_EXTEND_SOLVABLES),
        "other": lambda file: repo.add_rpmmd(file, None, solv.Repo.REPO_EXTEND_SOLVABLES),
        "updateinfo": lambda file: repo.add_updateinfoxml(file, 0),
    }
    for kind, read in reads.items():
        path = str(next(root.glob(f"repodata/*-{kind}.xml.gz")))
        assert read(solv.xfopen(path))  # of the library from PyPI; it reads neither xz nor zst, dnf's does
    assert sorted(str(item) for item in repo.solvables) == [
        "data-1.0-1.noarch",
        "hello-1.0-1.noarch",
        "patch:EX-2026:1-1.noarch",
    ]
