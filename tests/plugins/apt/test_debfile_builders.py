"""The builders of tests make what dpkg, dpkg-source and apt take for real."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from support.debs import make_deb, make_source, make_udeb, packages_stanza, sources_stanza


def run(*command: str | Path, folder: Path | None = None, **environment: str) -> str:
    variables = {**os.environ, "LC_ALL": "C", **environment}
    done = subprocess.run(command, capture_output=True, text=True, cwd=folder, env=variables)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.client
@pytest.mark.parametrize("compression", ["", "gz", "xz", "zst", "bz2", "lzma"])
def test_dpkg_deb_reads_a_made_package(tmp_path: Path, compression: str) -> None:
    path = make_deb(
        tmp_path, "nginx", "1:1.24-2", depends="libc6", files={"etc/x/y": b"hello\n"}, compression=compression
    )
    assert path.name == "nginx_1.24-2_amd64.deb"
    assert "Depends: libc6" in run("dpkg-deb", "-I", path)
    listed = run("dpkg-deb", "-c", path)
    assert listed.splitlines()[0].startswith("drwxr-xr-x root/root")
    assert "./etc/x/y" in listed
    run("dpkg-deb", "-x", path, tmp_path / "out")
    assert (tmp_path / "out" / "etc/x/y").read_bytes() == b"hello\n"


@pytest.mark.client
def test_dpkg_deb_reads_a_made_udeb(tmp_path: Path) -> None:
    assert run("dpkg-deb", "-f", make_udeb(tmp_path), "Package-Type").strip() == "udeb"


@pytest.mark.client
def test_dpkg_installs_a_made_package(tmp_path: Path) -> None:
    root = tmp_path / "root"
    (root / "var/lib/dpkg/updates").mkdir(parents=True)
    (root / "var/lib/dpkg/info").mkdir()
    (root / "var/lib/dpkg/status").touch()
    deb = make_deb(tmp_path, arch="all", files={"usr/share/hello": b"hi"})
    run("dpkg", "--force-not-root", "--log=/dev/null", f"--root={root}", "--unpack", deb)
    assert (root / "usr/share/hello").read_bytes() == b"hi"


@pytest.mark.client
def test_dpkg_source_unpacks_a_made_source(tmp_path: Path) -> None:
    dsc = make_source(tmp_path, "hello", "1:2.10-3")[0]
    run("dpkg-source", "--no-check", "-x", dsc, tmp_path / "out")
    assert (tmp_path / "out/README").read_text() == "hello\n"
    assert (tmp_path / "out/debian/control").exists()


@pytest.mark.client
def test_apt_downloads_what_the_made_indexes_say(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    tree.mkdir()
    deb = make_deb(tree, "hello", "1:2.10-3", "all")
    source = make_source(tree, "hello", "1:2.10-3")
    (tree / "Packages").write_bytes(packages_stanza(deb, f"./{deb.name}"))
    (tree / "Sources").write_bytes(sources_stanza(source, "."))
    root = tmp_path / "root"
    for folder in ("state/lists/partial", "cache/archives/partial", "etc", "parts", "out"):
        (root / folder).mkdir(parents=True)
    (root / "status").touch()
    (root / "sources.list").write_text(f"deb [trusted=yes] file:{tree} ./\ndeb-src [trusted=yes] file:{tree} ./\n")
    config = root / "apt.conf"
    config.write_text(
        f'Dir "{root}"; Dir::State "{root}/state"; Dir::State::status "{root}/status"; Dir::Cache "{root}/cache";\n'
        f'Dir::Etc::sourcelist "{root}/sources.list"; Dir::Etc::sourceparts "{root}/parts";\n'
        f'Dir::Etc::parts "{root}/parts"; APT::Architecture "amd64"; APT::Architectures "amd64";\n'
        'APT::Sandbox::User "root"; Acquire::Languages "none"; Debug::NoLocking "true";\n'
    )
    run("apt-get", "update", APT_CONFIG=str(config))
    for command in (("download", "hello"), ("source", "--download-only", "hello")):
        run("apt-get", *command, folder=root / "out", APT_CONFIG=str(config))
    found = {path.name: path.read_bytes() for path in (root / "out").iterdir()}
    assert {found[path.name] for path in source} == {path.read_bytes() for path in source}
    assert deb.read_bytes() in found.values()


def test_the_same_arguments_give_the_same_bytes(tmp_path: Path) -> None:
    folders = (tmp_path / "a", tmp_path / "b")
    for folder in folders:
        folder.mkdir()
    first, second = ([make_deb(folder), make_udeb(folder), *make_source(folder)] for folder in folders)
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]


def test_a_field_can_be_replaced_and_left_out(tmp_path: Path) -> None:
    stanza = packages_stanza(make_deb(tmp_path, fields={"Section": "web", "Priority": "", "Multi-Arch": "same"}))
    assert b"Section: web\n" in stanza
    assert b"Multi-Arch: same\n" in stanza
    assert b"Priority" not in stanza


def test_a_source_without_a_revision_cannot_be_made(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"1\.0 has no Debian revision"):
        make_source(tmp_path, "hello", "1.0")
