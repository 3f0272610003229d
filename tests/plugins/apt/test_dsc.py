"""Reading source packages, as made here and as real uploads have them."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from entrepot.errors import PackageError
from entrepot.models import SOURCE_ARCHITECTURE
from entrepot_plugins.apt.debfile import DebReader
from entrepot_plugins.apt.stanzas import mapping
from support.corpus import corpus
from support.debs import make_source, sources_stanza

reader = DebReader()


def changed(folder: Path, old: str, new: str) -> list[Path]:
    """A source package whose .dsc says something else."""
    files = make_source(folder, "hello", "2.10-3")
    text = files[0].read_text()
    assert old in text
    files[0].write_text(text.replace(old, new))
    return files


def test_a_source_package_is_its_dsc_and_what_that_names(tmp_path: Path) -> None:
    files = make_source(tmp_path, "hello", "1:2.10-3")
    info = reader.read(files, None)
    assert (info.kind, info.name, info.version, info.architecture) == (
        "source",
        "hello",
        "1:2.10-3",
        SOURCE_ARCHITECTURE,
    )
    assert [file.name for file in info.files] == [
        "hello_2.10-3.dsc",
        "hello_2.10.orig.tar.gz",
        "hello_2.10-3.debian.tar.xz",
    ]
    assert [file.sha256 for file in info.files] == [hashlib.sha256(path.read_bytes()).hexdigest() for path in files]


def test_an_index_of_sources_names_the_dsc_too_and_no_folder(tmp_path: Path) -> None:
    files = make_source(tmp_path)
    expected = sources_stanza(files, "pool/main/h/hello").replace(b"Directory: pool/main/h/hello\n", b"")
    assert reader.read(files, None).raw == expected.rstrip(b"\n")


def test_fields_of_the_index_survive(tmp_path: Path) -> None:
    files = make_source(tmp_path)
    upstream = sources_stanza(files, "pool/h") + b"Priority: optional\nSection: devel\nX-Latin: caf\xe9\n"
    info = reader.read(files, upstream)
    assert info.section == "devel"
    assert b"\nPriority: optional\nSection: devel\nX-Latin: caf\xe9\nFiles:\n" in info.raw
    assert b"Directory" not in info.raw
    assert info.raw.count(b"hello_1.0-1.dsc") == 2
    assert reader.disagreements(info, upstream) == []


def test_an_index_that_names_another_version_disagrees(tmp_path: Path) -> None:
    files = make_source(tmp_path)
    upstream = sources_stanza(files, "pool/h").replace(b"Version: 1.0-1", b"Version: 1.0-2")
    info = reader.read(files, upstream)
    assert reader.disagreements(info, upstream) == ["Version is 1.0-2 in the index and 1.0-1 in the package"]


def test_the_companions_are_what_the_dsc_names(tmp_path: Path) -> None:
    dsc, *rest = make_source(tmp_path)
    found = [(file.path, file.name, file.size, file.digests["sha256"]) for file in reader.companions(dsc)]
    assert found == [
        (path.name, path.name, path.stat().st_size, hashlib.sha256(path.read_bytes()).hexdigest()) for path in rest
    ]


@pytest.mark.corpus
@pytest.mark.parametrize(
    "name", ["hello_2.10-3.dsc", "sl_5.02-1.dsc", "golang-defaults_1.19~1.dsc"], ids=lambda name: name
)
def test_a_real_signed_source_package_is_read(name: str) -> None:
    dsc = corpus("deb", "debian-archive", "src", name)
    assert dsc.read_bytes().startswith(b"-----BEGIN PGP SIGNED MESSAGE-----")
    files = [dsc, *(dsc.parent / file.name for file in reader.companions(dsc))]
    info = reader.read(files, None)
    found = mapping(info.raw)
    assert info.files[0].name == name
    assert len(info.files) == len(files)
    assert len(found["checksums-sha256"].split("\n")) == len(files) + 1
    assert "PGP" not in info.raw.decode()


@pytest.mark.corpus
def test_a_real_source_package_without_its_tarball_is_refused() -> None:
    dsc = corpus("deb", "debian-archive", "src", "base-passwd_3.6.1.dsc")
    with pytest.raises(PackageError, match=r"base-passwd_3\.6\.1\.dsc: names base-passwd_3\.6\.1\.tar\.xz, which"):
        reader.read([dsc], None)


def test_a_file_that_the_dsc_does_not_name_is_refused(tmp_path: Path) -> None:
    files = make_source(tmp_path)
    stranger = tmp_path / "hello_1.0.tar.gz"
    stranger.write_bytes(b"")
    with pytest.raises(PackageError, match=r"does not name hello_1\.0\.tar\.gz"):
        reader.read([*files, stranger], None)


def test_a_tarball_that_was_changed_is_refused(tmp_path: Path) -> None:
    files = make_source(tmp_path)
    files[1].write_bytes(files[1].read_bytes()[:-1] + b"x")
    with pytest.raises(PackageError, match=r"hello_1\.0\.orig\.tar\.gz is not the file that it names"):
        reader.read(files, None)


def test_both_tables_of_a_dsc_have_to_say_the_same(tmp_path: Path) -> None:
    files = make_source(tmp_path)
    md5 = hashlib.md5(files[1].read_bytes()).hexdigest()
    files[0].write_text(files[0].read_text().replace(md5, "0" * 32))
    with pytest.raises(PackageError, match=r"Files and Checksums-Sha256 disagree about hello_1\.0\.orig\.tar\.gz"):
        reader.read(files, None)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("hello_2.10.orig.tar.gz", "../hello_2.10.orig.tar.gz", "names '../hello_2.10.orig.tar.gz', which cannot be"),
        ("hello_2.10.orig.tar.gz", "/etc/passwd", "names '/etc/passwd', which cannot be"),
        ("hello_2.10.orig.tar.gz", "other_2.10.orig.tar.gz", "names 'other_2.10.orig.tar.gz', which cannot be"),
        ("hello_2.10.orig.tar.gz", "hello_2.10-3.dsc", "names 'hello_2.10-3.dsc', which cannot be"),
        ("hello_2.10.orig.tar.gz", "hello_" + "x" * 300, "which cannot be a file of it"),
        ("hello_2.10.orig.tar.gz", "hello_2.10-3.debian.tar.xz", "names hello_2.10-3.debian.tar.xz twice"),
        ("Source: hello", "Source: ../hello", "Source is '../hello'"),
        ("Source: hello\n", "", "has no Source"),
        ("Version: 2.10-3", "Version: 2/3", "Version is '2/3'"),
        ("Checksums-Sha256:", "Checksums-Sha3:", "has no Checksums-Sha256"),
        ("Checksums-Sha256:\n", "Checksums-Sha256:\n 00 12 x\n", "Checksums-Sha256 has the line '00 12 x'"),
        ("Checksums-Sha256:\n", f"Checksums-Sha256:\n {'0' * 64} -1 x\n", "Checksums-Sha256 has the line"),
        ("Checksums-Sha256:\n", "Checksums-Sha256:\nX:\n", "Checksums-Sha256 names no file"),
        ("Format: 3.0 (quilt)\n", "-----BEGIN PGP SIGNED MESSAGE-----\n", "its signature is damaged"),
        ("Format: 3.0 (quilt)\n", "Format: 3.0 (quilt)\n\n", "begins a second stanza"),
        ("Format: 3.0 (quilt)\n", "Format: \x1b[2J\n", "has control characters"),
    ],
)
def test_a_dsc_that_lies_is_refused(tmp_path: Path, old: str, new: str, message: str) -> None:
    files = changed(tmp_path, old, new)
    with pytest.raises(PackageError) as raised:
        reader.read(files, None)
    assert raised.value.message.startswith("hello_2.10-3.dsc: ")
    assert message in raised.value.message


SIGNED = (
    "-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA512\n\n{}\n"
    "-----BEGIN PGP SIGNATURE-----\n\nx\n-----END PGP SIGNATURE-----\n"
)


def test_lines_that_signing_escaped_are_read_as_they_were(tmp_path: Path) -> None:
    files = make_source(tmp_path)
    files[0].write_text(SIGNED.format("- X-Odd: yes\n" + files[0].read_text()))
    assert b"X-Odd: yes" in reader.read(files, None).raw


@pytest.mark.parametrize(
    ("before", "after"),
    [("", "Version: 9\n"), ("Version: 9\n", ""), ("", SIGNED.format("Version: 9"))],
    ids=["behind it", "before it", "a second one"],
)
def test_nothing_stands_around_the_signed_part_of_a_dsc(tmp_path: Path, before: str, after: str) -> None:
    files = make_source(tmp_path)
    files[0].write_text(before + SIGNED.format(files[0].read_text()) + after)
    with pytest.raises(PackageError, match=r"hello_1\.0-1\.dsc: (its signature is damaged|line 2 is no field)"):
        reader.read(files, None)


def test_a_signature_with_unknown_headers_is_refused(tmp_path: Path) -> None:
    files = make_source(tmp_path)
    files[0].write_text(SIGNED.format(files[0].read_text()).replace("Hash:", "NotDashEscaped:"))
    with pytest.raises(PackageError, match="its signed text has unknown headers"):
        reader.read(files, None)
