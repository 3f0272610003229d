"""Reading real and made packages: what comes out, and what an index is to say of them."""

from __future__ import annotations

import hashlib
import subprocess
from pathlib import Path

import pytest

from entrepot.errors import PackageError
from entrepot_plugins.apt.debfile import DebReader
from entrepot_plugins.apt.stanzas import mapping
from support.corpus import corpus, corpus_files
from support.debs import make_deb, make_udeb, packages_stanza

REAL = corpus_files("deb", ".deb", ".udeb", ".ddeb")
reader = DebReader()


@pytest.mark.corpus
@pytest.mark.client
@pytest.mark.parametrize("path", REAL, ids=lambda path: path.name)
def test_a_real_package_says_what_dpkg_deb_says_of_it(path: Path) -> None:
    info = reader.read([path], None)
    told = subprocess.run(["dpkg-deb", "-f", path], check=True, capture_output=True).stdout
    expected = mapping(told)
    found = mapping(info.raw)
    assert (found.pop("size"), found.pop("sha256")) == (str(path.stat().st_size), info.files[0].sha256)
    assert found.pop("md5sum") == hashlib.md5(path.read_bytes()).hexdigest()
    assert found == expected
    assert (info.name, info.version, info.architecture) == (
        expected["package"],
        expected["version"],
        expected["architecture"],
    )


@pytest.mark.corpus
def test_the_collection_has_real_packages_of_every_suffix() -> None:
    corpus("deb")
    assert {path.suffix for path in REAL} == {".deb", ".udeb", ".ddeb"}


@pytest.mark.parametrize("compression", ["", "gz", "xz", "zst", "bz2", "lzma"])
def test_every_compression_of_dpkg_is_read(tmp_path: Path, compression: str) -> None:
    path = make_deb(tmp_path, "nginx", "1.24.0-2", compression=compression, files={"usr/share/x": bytes(300_000)})
    info = reader.read([path], None)
    assert (info.name, info.version, info.architecture) == ("nginx", "1.24.0-2", "amd64")


def test_an_index_gets_the_control_file_and_what_the_file_is(tmp_path: Path) -> None:
    path = make_deb(tmp_path, depends="libc6 (>= 2.36)")
    info = reader.read([path], None)
    without_place = b"".join(
        line for line in packages_stanza(path).splitlines(keepends=True) if not line.startswith(b"Filename")
    )
    assert info.raw == without_place.rstrip(b"\n")


def test_the_file_is_published_under_the_name_that_the_control_file_gives(tmp_path: Path) -> None:
    path = make_deb(tmp_path, "zlib1g", "1:1.2.13-1")
    odd = path.rename(tmp_path / "zlib1g_1%3a1.2.13-1_amd64.deb")
    assert reader.read([odd], None).files[0].name == "zlib1g_1.2.13-1_amd64.deb"


def test_a_place_or_digest_in_the_control_file_is_not_believed(tmp_path: Path) -> None:
    fields = {"Filename": "../../etc/shadow", "SHA256": "0" * 64, "Size": "1", "SHA512": "0" * 128, "MD5sum": "0"}
    path = make_deb(tmp_path, fields=fields)
    found = mapping(reader.read([path], None).raw)
    assert "filename" not in found
    assert "sha512" not in found
    assert found["size"] == str(path.stat().st_size)
    assert found["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()


def test_the_name_of_the_package_comes_first(tmp_path: Path) -> None:
    raw = b"Version: 1.0-1\nArchitecture: amd64\nPackage: hello\nFilename: x.deb"
    path = make_deb(tmp_path)
    assert reader.read([path], raw).raw.startswith(b"Package: hello\nVersion: 1.0-1\nArchitecture: amd64\nSize: ")


def test_fields_of_the_index_survive_byte_for_byte(tmp_path: Path) -> None:
    kept = (
        b"Package: hello\nVersion: 1.0-1\nArchitecture: amd64\nPhased-Update-Percentage: 20\nMulti-Arch: foreign\n"
        b"Important: yes\nProtected: yes\nTask: standard\nTag: role::program,\n\tscope::utility\n"
        b"X-Latin: caf\xe9\nEmpty:\nX-Trailing: blank  \nDescription: hello\n two\n \n three"
    )
    place = b"\nFilename: pool/h/hello.deb\nSize: 1\nMD5Sum: 0\nSHA1: 0\nSHA256: 0\nSHA512: 0"
    path = make_deb(tmp_path)
    raw = reader.read([path], kept + place).raw
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    assert raw.startswith(kept + b"\nSize: ")
    assert raw.endswith(f"\nSHA256: {digest}".encode())
    assert len(raw[len(kept) :].splitlines()) == 4


FULL = "hello for tests\n It is hello, and nothing else.\n .\n It does nothing."


@pytest.mark.parametrize(
    ("md5", "expected"),
    [(hashlib.md5(FULL.encode() + b"\n").hexdigest(), FULL.replace("\n ", "\n")), ("0" * 32, "hello for tests")],
    ids=["the same description", "another one"],
)
def test_a_shortened_description_is_completed_where_its_digest_is_right(
    tmp_path: Path, md5: str, expected: str
) -> None:
    index = f"Package: hello\nVersion: 1.0-1\nArchitecture: amd64\nDescription: hello for tests\nDescription-md5: {md5}"
    found = mapping(reader.read([make_deb(tmp_path)], index.encode()).raw)
    assert found["description"] == expected
    assert found["description-md5"] == md5


@pytest.mark.parametrize(
    ("fields", "suffix", "upstream", "kind", "name"),
    [
        ({}, ".deb", b"", "binary", "hello_1.0_all.deb"),
        ({}, ".udeb", b"", "udeb", "hello_1.0_all.udeb"),
        ({}, ".ddeb", b"", "binary", "hello_1.0_all.ddeb"),
        ({"Section": "debian-installer"}, ".deb", b"", "udeb", "hello_1.0_all.udeb"),
        ({"Section": "contrib/debian-installer"}, ".deb", b"", "udeb", "hello_1.0_all.udeb"),
        ({"Package-Type": "udeb"}, ".deb", b"", "udeb", "hello_1.0_all.udeb"),
        ({"Section": "debian-installer", "Package-Type": "deb"}, ".deb", b"", "binary", "hello_1.0_all.deb"),
        ({}, ".deb", b"Package: hello\nPackage-Type: udeb", "udeb", "hello_1.0_all.udeb"),
    ],
)
def test_what_only_the_installer_takes_is_a_udeb(
    tmp_path: Path, fields: dict[str, str], suffix: str, upstream: bytes, kind: str, name: str
) -> None:
    path = make_deb(tmp_path, version="1.0", arch="all", fields=fields, suffix=suffix)
    info = reader.read([path], upstream or None)
    assert (info.kind, info.files[0].name) == (kind, name)


def test_a_udeb_is_read(tmp_path: Path) -> None:
    info = reader.read([make_udeb(tmp_path)], None)
    assert (info.kind, info.section, info.summary) == ("udeb", "debian-installer", "di-hello for tests")


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("", ("hello", "1.0-1+b2")),
        ("greetings", ("greetings", "1.0-1+b2")),
        ("hello (1.0-1)", ("hello", "1.0-1")),
        ("babl (1:0.1.98-1)", ("babl", "1:0.1.98-1")),
    ],
)
def test_the_source_package_and_its_version_are_known(tmp_path: Path, source: str, expected: tuple[str, str]) -> None:
    info = reader.read([make_deb(tmp_path, version="1.0-1+b2", fields={"Source": source})], None)
    assert (info.source_name, info.source_version) == expected


INDEX = "Package: hello\nVersion: 1:1.0-1+b1\nArchitecture: amd64\nSource: greet (1:1.0-1)\n"


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("", "", []),
        ("Package: hello", "Package: hallo", ["Package is hallo in the index and hello in the package"]),
        (
            "Version: 1:1.0-1+b1",
            "Version: 1.0-1+b1",
            ["Version is 1.0-1+b1 in the index and 1:1.0-1+b1 in the package"],
        ),
        ("amd64", "all", ["Architecture is all in the index and amd64 in the package"]),
        ("Architecture: amd64\n", "", ["Architecture is missing in the index and amd64 in the package"]),
        ("greet", "great", ["Source is great in the index and greet in the package"]),
        ("(1:1.0-1)", "(1:0.9)", ["version of the source is 1:0.9 in the index and 1:1.0-1 in the package"]),
        ("Package: hello\n", "Package: hello\nVersion: 1:1.0-1+b1\n", ["the index has Version twice"]),
        ("Source: greet (1:1.0-1)", "Source: ((", ["Source is (( in the index and greet in the package"]),
    ],
)
def test_contradictions_between_index_and_package_are_told(
    tmp_path: Path, old: str, new: str, expected: list[str]
) -> None:
    path = make_deb(tmp_path, version="1:1.0-1+b1", fields={"Source": "greet (1:1.0-1)"})
    upstream = INDEX.replace(old, new, 1).encode()
    found = reader.disagreements(reader.read([path], upstream), upstream)
    assert [sentence for sentence in found if sentence in expected] == expected
    assert bool(found) == bool(expected)


@pytest.mark.parametrize("upstream", [b"", b"no field", b"Package: hello\n\nPackage: evil", b"Package: a\x1b[0m"])
def test_an_entry_that_no_index_can_carry_is_refused(tmp_path: Path, upstream: bytes) -> None:
    with pytest.raises(PackageError, match=r"hello_1\.0-1_amd64\.deb: the index's entry: "):
        reader.read([make_deb(tmp_path)], upstream)


def test_a_binary_package_has_no_companions(tmp_path: Path) -> None:
    assert reader.companions(make_deb(tmp_path)) == ()


def test_a_binary_package_is_one_file(tmp_path: Path) -> None:
    with pytest.raises(PackageError, match="one file, not 2"):
        reader.read([make_deb(tmp_path), make_deb(tmp_path, "other")], None)


def test_other_files_are_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "hello.rpm"
    path.write_bytes(b"")
    with pytest.raises(PackageError, match=r"hello\.rpm: is none of \.deb, \.udeb, \.ddeb, \.dsc"):
        reader.read([path], None)
