"""Contents and Translation-en: where they are, and what a package has in them."""

from __future__ import annotations

import gzip
import hashlib
import lzma
import zlib
from collections.abc import Mapping
from pathlib import Path

import pytest

from entrepot.contracts import TreeFile, TreeTools
from entrepot.models import PackageInfo, PublishedEntry
from entrepot.publish.pieces import IndexRenderer, PieceCache
from entrepot_plugins.apt.debfile import DebReader
from entrepot_plugins.apt.indexes import short_text, translation_text
from entrepot_plugins.apt.tree import AptTree
from support.debs import make_deb
from support.views import NOW, MemoryView, a_distribution, a_package, a_repository, content

LONG = b"short and sweet\n Long text\n .\n with \\1 and more"


def built(folder: Path, *packages: PackageInfo, **options: bool) -> Mapping[str, TreeFile]:
    distribution = a_distribution(options=options)
    tree = AptTree()
    members = [("main", info, tree.location(info, distribution, "main")) for info in packages]
    version = MemoryView(a_repository(), distribution, members)
    tools = TreeTools(IndexRenderer(PieceCache(folder), version.load, salt="apt 1"), None, NOW)
    return {file.path.removeprefix("dists/stable/"): file for file in tree.build(version, tools)}


def installing(*paths: bytes, architecture: str = "amd64", kind: str = "binary", name: str = "hello") -> PackageInfo:
    raw = f"Package: {name}\nVersion: 1\nArchitecture: {architecture}\nSection: devel".encode()
    return a_package(name, "1", architecture, kind, raw=raw, file_list=zlib.compress(b"\n".join(paths)))


def text(files: Mapping[str, TreeFile], path: str) -> bytes:
    return gzip.decompress(content(files[path]))


def test_contents_are_off_unless_asked_for(tmp_path: Path) -> None:
    assert not [path for path in built(tmp_path, installing(b"usr/bin/hello")) if "Contents" in path]


def test_each_architecture_has_its_files_and_those_for_all_are_apart_as_in_debian(tmp_path: Path) -> None:
    files = built(
        tmp_path,
        installing(b"usr/bin/hello", b"usr/share/a b"),
        installing(b"usr/bin/hello", architecture="arm64"),
        installing(b"usr/share/data", architecture="all", name="data"),
        installing(b"bin/small", kind="udeb", name="di"),
        contents=True,
    )
    assert text(files, "main/Contents-amd64.gz") == b"usr/bin/hello devel/hello\nusr/share/a b devel/hello\n"
    assert text(files, "main/Contents-arm64.gz") == b"usr/bin/hello devel/hello\n"
    assert text(files, "main/Contents-all.gz") == b"usr/share/data devel/data\n"
    assert text(files, "main/Contents-udeb-amd64.gz") == b"bin/small devel/di\n"
    release = content(files["Release"]).decode()
    assert "\nArchitectures: all amd64 arm64\n" in release
    assert "\nNo-Support-for-Architecture-all: Packages\n" in release
    for path in ("main/Contents-all.gz", "main/binary-all/Packages.gz"):
        assert f" {files[path].sha256} {files[path].size:>10} {path}\n" in release
    assert files[f"main/by-hash/SHA256/{files['main/Contents-all.gz'].sha256}"]


def test_the_installer_has_an_index_without_packages_where_that_is_asked_for(tmp_path: Path) -> None:
    path = "main/debian-installer/binary-amd64/Packages.gz"
    assert path not in built(tmp_path, installing())
    assert text(built(tmp_path, installing(), udebs=True), path) == b""


def test_packages_for_all_stay_in_the_index_of_each_architecture(tmp_path: Path) -> None:
    files = built(tmp_path, installing(), installing(architecture="all", name="data"), contents=True)
    assert b"Package: data" in text(files, "main/binary-amd64/Packages.gz")


@pytest.mark.parametrize("section", [b"Section: two words", b"Section: a,b", b"Origin: nobody"])
def test_a_section_that_would_be_read_as_something_else_is_left_out(tmp_path: Path, section: bytes) -> None:
    info = installing(b"usr/bin/hello")
    info = a_package("hello", raw=info.raw.replace(b"Section: devel", section), file_list=info.file_list)
    assert text(built(tmp_path, info, contents=True), "main/Contents-amd64.gz") == b"usr/bin/hello hello\n"


def test_files_and_links_of_a_package_are_read_and_folders_are_not(tmp_path: Path) -> None:
    deb = make_deb(tmp_path, files={"usr/bin/hello": b"#!", "usr/share/doc/hello/copyright": b"free"})
    info = DebReader().read([deb], None)
    paths = zlib.decompress(info.file_list or b"").split(b"\n")
    assert {b"usr/bin/hello", b"usr/share/doc/hello/copyright"} <= set(paths)
    assert b"usr/bin" not in paths
    assert paths == sorted(paths)


def entry(*lines: bytes) -> PublishedEntry:
    return PublishedEntry(b"\n".join((b"Package: hello", *lines)), "pool/main/h/hello", a_package().files)


def test_a_long_description_moves_to_translations_under_its_digest() -> None:
    published = entry(b"Description: " + LONG, b"Section: devel")
    md5 = hashlib.md5(LONG + b"\n", usedforsecurity=False).hexdigest().encode()
    assert short_text(published) == (
        b"Package: hello\nDescription: short and sweet\nDescription-md5: %s\nSection: devel\n"
        b"Filename: pool/main/h/hello/hello_1.0-1_amd64.deb\n\n" % md5
    )
    assert translation_text(published) == b"Package: hello\nDescription-md5: %s\nDescription-en: %s\n\n" % (md5, LONG)


def test_the_digest_that_upstream_gave_is_there_once() -> None:
    md5 = hashlib.md5(LONG + b"\n", usedforsecurity=False).hexdigest().encode()
    shorter = short_text(entry(b"Description: " + LONG, b"Description-md5: " + md5))
    assert shorter.count(b"Description-md5") == 1
    assert shorter == short_text(entry(b"Description: " + LONG))


def test_a_description_that_only_upstream_has_stays_as_it_is() -> None:
    published = entry(b"Description: short", b"Description-md5: " + b"0" * 32)
    assert b"Description-md5: " + b"0" * 32 in short_text(published)
    assert translation_text(published) == b""


def test_a_package_without_a_description_has_no_translation() -> None:
    assert translation_text(entry()) == b""
    assert short_text(entry()).startswith(b"Package: hello\nFilename: ")


def test_translations_are_listed_and_empty_ones_too(tmp_path: Path) -> None:
    files = built(tmp_path, translations=True)
    assert lzma.decompress(content(files["main/i18n/Translation-en.xz"])) == b""
    assert "main/i18n/Translation-en.gz" not in files
    assert b" main/i18n/Translation-en\n" in content(files["Release"])
