"""What is read out of RPM packages."""

from __future__ import annotations

import hashlib
import re
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from entrepot.errors import MissingExtraError, PackageError
from entrepot.models import PackageFile, PackageInfo, Sha256
from entrepot_plugins.rpm.header import RpmReader
from entrepot_plugins.rpm.library import createrepo, library
from entrepot_plugins.rpm.raw import pack, unpack
from entrepot_plugins.rpm.tags import Tag, Type
from entrepot_plugins.rpm.version import RpmVersions
from entrepot_plugins.rpm.writing import Value
from support.corpus import corpus, corpus_files
from support.rpms import Member, assemble, cpio_archive, file_values, make_rpm, make_srpm, texts, values_of

reader = RpmReader()
PACKAGES = corpus_files("rpm", ".rpm")
IDS = [path.name for path in PACKAGES]


def primary(info: PackageInfo) -> str:
    return unpack(info.raw).primary.decode()


def test_a_binary_package_says_what_it_is(tmp_path: Path) -> None:
    path = make_rpm(
        tmp_path,
        "nginx",
        "1.24~rc1",
        "2.el9",
        "x86_64",
        epoch=1,
        provides=["webserver", "nginx(abi) = 1.24", "name with blanks"],
        files={"/usr/bin/nginx": b"#!", "/etc/nginx.conf": b"", "/usr/share/doc/nginx/README": b"x"},
        summary="A web server",
        group="System/Servers",
        sourcerpm="nginx-all-1.24~rc1-2.el9.src.rpm",
    )
    content = path.read_bytes()
    info = reader.read([path], None)
    assert info == PackageInfo(
        format="rpm",
        kind="binary",
        name="nginx",
        version="1:1.24~rc1-2.el9",
        version_key=RpmVersions().key("1:1.24~rc1-2.el9"),
        architecture="x86_64",
        source_name="nginx-all",
        source_version="1.24~rc1-2.el9",
        summary="A web server",
        section="System/Servers",
        provides="webserver nginx(abi) nginx(x86-64) /etc/nginx.conf /usr/bin/nginx",
        raw=info.raw,
        files=(
            PackageFile("nginx-1.24~rc1-2.el9.x86_64.rpm", len(content), Sha256(hashlib.sha256(content).hexdigest())),
        ),
        licence="MIT",
    )


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([], ""),
        ([texts(Tag.VENDOR, "Example")], "Example"),
        ([texts(Tag.VENDOR, "Example"), texts(Tag.PACKAGER, "Builder  <b@example.org>\n")], "Builder <b@example.org>"),
    ],
    ids=["nobody", "a vendor", "a packager and a vendor"],
)
def test_who_made_a_package_is_known(tmp_path: Path, values: list[Value], expected: str) -> None:
    assert reader.read([make_rpm(tmp_path, extra=values)], None).maintainer == expected


def test_a_source_package_says_what_it_is(tmp_path: Path) -> None:
    info = reader.read([make_srpm(tmp_path, "nginx", "1.24", "2.el9", epoch=1, requires=["gcc"])], None)
    assert (info.kind, info.name, info.version, info.architecture) == ("source", "nginx", "1:1.24-2.el9", "source")
    assert (info.source_name, info.source_version, info.provides) == ("nginx", "1:1.24-2.el9", "")
    assert info.files[0].name == "nginx-1.24-2.el9.src.rpm"
    assert "<arch>src</arch>" in primary(info)


def test_a_source_package_without_its_sources_is_called_so(tmp_path: Path) -> None:
    path = tmp_path / "x.rpm"
    values = [*values_of("firmware"), Value(Tag.SOURCEPACKAGE, Type.INT32, [1]), Value(Tag.NOSOURCE, Type.INT32, [0])]
    path.write_bytes(assemble(values, cpio_archive([]), source=True))
    assert reader.read([path], None).files[0].name == "firmware-1.0-1.nosrc.rpm"


@pytest.mark.parametrize("sourcerpm", ["", "(none)", "nginx.src.rpm", "nginx-1.0-1.rpm"])
def test_a_source_package_that_has_no_name_is_unknown(tmp_path: Path, sourcerpm: str) -> None:
    info = reader.read([make_rpm(tmp_path, sourcerpm=sourcerpm)], None)
    assert (info.kind, info.source_name, info.source_version) == ("binary", "", "")


@pytest.mark.parametrize("compression", ["gzip", "xz", "zstd", "bzip2", "lzma", ""])
def test_payloads_of_every_compression_are_read(tmp_path: Path, compression: str) -> None:
    assert reader.read([make_rpm(tmp_path, compression=compression)], None).name == "hello"


def test_the_published_name_is_made_of_what_the_header_says(tmp_path: Path) -> None:
    path = make_rpm(tmp_path, epoch=3).rename(tmp_path / "..evil name.rpm")
    assert reader.read([path], None).files[0].name == "hello-1.0-1.noarch.rpm"


def test_hard_links_and_devices_do_not_disturb(tmp_path: Path) -> None:
    members = [Member("/dev/null", b"", stat.S_IFCHR | 0o666), Member("/usr/bin/a", b""), Member("/usr/bin/b", b"x")]
    assert reader.read([make_rpm(tmp_path, files=members)], None).name == "hello"


@pytest.mark.parametrize("linked", [True, False])
def test_members_without_names_have_the_sizes_that_the_header_says(tmp_path: Path, linked: bool) -> None:
    members = [Member("/usr/bin/a", b"same"), Member("/usr/bin/b", b"same")]
    extra = [Value(Tag.FILEINODES, Type.INT32, [7, 7])] if linked else []
    values = [*values_of("six"), *file_values(members), texts(Tag.SOURCERPM, "six-1.0-1.src.rpm")]
    values = [value for value in values if value.tag not in {item.tag for item in extra}] + extra
    payload = b"".join(b"07070X%08x\0\0" % number + (b"" if linked and not number else b"same") for number in (0, 1))
    path = tmp_path / "six.rpm"
    path.write_bytes(assemble(values, payload + cpio_archive([])))
    assert reader.read([path], None).name == "six"


# ------------------------------------------------------------------------------------------- what an index says


def test_upstreams_own_text_is_kept_where_it_is_of_the_same_file(tmp_path: Path) -> None:
    path = make_rpm(tmp_path)
    upstream = reader.read([path], None).raw.replace(b"hello for tests", b"Hello, world")
    assert reader.read([path], upstream).raw == upstream


def test_upstreams_text_of_another_file_is_not_taken(tmp_path: Path) -> None:
    path = make_rpm(tmp_path)
    ours = reader.read([path], None).raw
    upstream = re.sub(rb"[0-9a-f]{64}", b"0" * 64, ours)
    assert reader.read([path], upstream).raw == ours
    weak = ours.replace(b'type="sha256"', b'type="sha"')
    assert reader.read([path], weak).raw == ours


def test_what_a_repository_does_not_list_is_read_from_the_package(tmp_path: Path) -> None:
    path = make_rpm(tmp_path, changelog=[(1_700_000_000, "A <a@example.org> - 1.0-1", "- first")])
    ours = unpack(reader.read([path], None).raw)
    theirs = ours.primary.replace(b"hello for tests", b"Hello, world")
    assert reader.read([path], pack(theirs, b"", b"")).raw == pack(theirs, ours.filelists, ours.other)


def test_an_index_entry_that_is_no_xml_is_told(tmp_path: Path) -> None:
    path = make_rpm(tmp_path)
    with pytest.raises(PackageError, match="the index's entry cannot be used: it is no element of XML"):
        reader.read([path], pack(b'<!DOCTYPE x [<!ENTITY e "x">]><package/>', b"", b""))


def test_the_elements_have_everything_that_the_header_says(tmp_path: Path) -> None:
    path = make_rpm(
        tmp_path,
        requires=["bar >= 1:2-3", "(a or b)"],
        conflicts=["c < 1"],
        obsoletes=["o <= 2-1"],
        recommends=["r"],
        suggests=["s"],
        supplements=["(x and y)"],
        enhances=["e > 1"],
        files=[Member("/usr/bin/x", b"#!"), Member("/usr/share/d", b"", stat.S_IFDIR | 0o755)],
        changelog=[(1_700_000_000 - day, f"A <a@example.org> - 1-{day}", "- <&>") for day in range(20)],
    )
    elements = unpack(reader.read([path], None).raw)
    for part in (
        '<rpm:entry name="bar" flags="GE" epoch="1" ver="2" rel="3"/>',
        '<rpm:entry name="(a or b)"/>',
        '<rpm:entry name="c" flags="LT" epoch="0" ver="1"/>',
        '<rpm:entry name="o" flags="LE" epoch="0" ver="2" rel="1"/>',
        '<rpm:entry name="r"/>',
        '<rpm:entry name="s"/>',
        '<rpm:entry name="(x and y)"/>',
        '<rpm:entry name="e" flags="GT" epoch="0" ver="1"/>',
        "<file>/usr/bin/x</file>",
        '<location href="hello-1.0-1.noarch.rpm"/>',
        '<time file="1700000000" build="1700000000"/>',
    ):
        assert part in elements.primary.decode()
    assert b'<file type="dir">/usr/share/d</file>' in elements.filelists
    assert elements.other.count(b"<changelog ") == 10
    assert b'date="1700000000">- &lt;&amp;&gt;</changelog>' in elements.other


def test_texts_that_xml_cannot_have_are_made_fit_for_it(tmp_path: Path) -> None:
    path = make_rpm(tmp_path, extra=[texts(Tag.SUMMARY, b"\x1b[2J <b> \xe4"), texts(Tag.DESCRIPTION, b"one\ntwo\x00")])
    info = reader.read([path], None)
    assert info.summary == "\N{REPLACEMENT CHARACTER}[2J <b> ä"
    assert "<summary>\N{REPLACEMENT CHARACTER}[2J &lt;b&gt; ä</summary>" in primary(info)


def test_translations_are_left_to_those_who_ask_for_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LANG", "de_DE.UTF-8")
    table = Value(Tag.I18NTABLE, Type.STRING_ARRAY, [b"C", b"de"])
    summary = Value(Tag.SUMMARY, Type.I18NSTRING, [b"greeting", b"Begr\xc3\xbc\xc3\x9fung"])
    info = reader.read([make_rpm(tmp_path, extra=[table, summary])], None)
    assert info.summary == "greeting"
    assert "<summary>greeting</summary>" in primary(info)


def test_a_package_is_described_alike_whenever_it_is_read(tmp_path: Path) -> None:
    path = make_rpm(tmp_path)
    copy = Path(shutil.copyfile(path, tmp_path / "copy.rpm"))
    assert reader.read([path], None) == reader.read([copy], None)


# ------------------------------------------------------------------------------------------- disagreements


def test_a_package_agrees_with_what_was_made_of_it(tmp_path: Path) -> None:
    for path in (make_rpm(tmp_path, epoch=2), make_srpm(tmp_path)):
        info = reader.read([path], None)
        assert reader.disagreements(info, info.raw) == []


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        (b"<name>hello", b"<name>hallo", "name is hallo in the index and hello in the package"),
        (b"<name>hello</name>", b"", "name is missing in the index and hello in the package"),
        (b"<arch>noarch", b"<arch>x86_64", "architecture is x86_64 in the index and noarch in the package"),
        (b'epoch="2"', b'epoch="3"', "version is 3:1.0-1 in the index and 2:1.0-1 in the package"),
        (b'epoch="2"', b"", "version is 1.0-1 in the index and 2:1.0-1 in the package"),
        (b'epoch="2"', b'epoch="x"', "version is x:1.0-1 in the index and 2:1.0-1 in the package"),
        (b'rel="1"', b'rel="2"', "version is 2:1.0-2 in the index and 2:1.0-1 in the package"),
        (
            b"hello-1.0-1.src",
            b"evil-1.0-1.src",
            "source package is evil 1.0-1 in the index and hello 1.0-1 in the package",
        ),
        (b"<name>", b"<name>hello</name><name>", "the index has name twice"),
        (b"<package", b"<other/><package", "name is missing in the index and hello in the package"),
        (b"</package>", b"", "the index's entry cannot be read: it is no element of XML: .*"),
    ],
)
def test_a_contradiction_with_the_index_is_told(tmp_path: Path, old: bytes, new: bytes, sentence: str) -> None:
    info = reader.read([make_rpm(tmp_path, epoch=2)], None)
    element = unpack(info.raw).primary
    assert old in element
    sentences = reader.disagreements(info, pack(element.replace(old, new, 1), b"", b""))
    assert any(re.fullmatch(sentence, found) for found in sentences)


# ------------------------------------------------------------------------------------------- the library


def test_the_library_says_nothing_on_the_terminal() -> None:
    code = "import os, entrepot_plugins.rpm.library as r; r.createrepo(); print(os.environ['RPM_CONFIGDIR'])"
    environment = {"PYTHONPATH": ":".join(sys.path), "RPM_CONFIGDIR": "/nowhere"}
    child = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=True)
    assert (child.stdout, child.stderr) == ("/nowhere\n", "")


def test_a_missing_library_is_told_with_what_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "createrepo_c", None)
    with pytest.raises(MissingExtraError, match="createrepo_c is not installed") as raised:
        library("createrepo_c")
    assert raised.value.hint == "pip install 'entrepot[rpm]'"


# ------------------------------------------------------------------------------------------- real packages


@pytest.mark.corpus
def test_there_are_real_packages() -> None:
    corpus("rpm")
    assert len(PACKAGES) > 100


@pytest.mark.corpus
@pytest.mark.parametrize("path", PACKAGES, ids=IDS)
def test_a_real_package_is_described_as_createrepo_describes_it(path: Path) -> None:
    info = reader.read([path], None)
    module = createrepo()
    package = module.package_from_rpm(str(path), module.SHA256, info.files[0].name, None, 10)
    package.time_file = package.time_build
    assert unpack(info.raw) == tuple(text.strip().encode() for text in module.xml_dump(package))
    assert reader.disagreements(info, info.raw) == []


@pytest.mark.corpus
@pytest.mark.client
@pytest.mark.skipif(not shutil.which("rpm"), reason="rpm is not installed")
def test_real_packages_have_the_fields_that_rpm_reads(tmp_path: Path) -> None:
    corpus("rpm")
    fields = r"%{name}\t%|epoch?{%{epoch}:}|%{version}-%{release}\t%{arch}\t%|sourcerpm?{%{sourcerpm}}|\n"
    command = ["rpm", "--dbpath", str(tmp_path), "-qp", "--nosignature", "--nodigest", "--qf", fields]
    said = subprocess.run([*command, *map(str, PACKAGES)], capture_output=True, text=True, check=True).stdout
    for path, line in zip(PACKAGES, said.splitlines(), strict=True):
        name, version, architecture, source = line.split("\t")
        info = reader.read([path], None)
        assert (info.name, info.version) == (name, version.removeprefix("0:"))
        assert info.architecture == (architecture if source else "source")
        if source:
            assert source == f"{info.source_name}-{info.source_version}.src.rpm"


@pytest.mark.client
@pytest.mark.skipif(not shutil.which("rpm"), reason="rpm is not installed")
def test_what_tests_build_is_what_rpm_takes_for_packages(tmp_path: Path) -> None:
    paths = [
        *(make_rpm(tmp_path, f"c{name}", compression=name) for name in ("gzip", "xz", "zstd", "bzip2", "lzma", "")),
        make_rpm(tmp_path, "old", old=True),
        make_rpm(
            tmp_path,
            "all",
            "1~rc1",
            "2",
            "x86_64",
            epoch=1,
            requires=["(a or b)"],
            files=[Member("/usr/bin/x", b"#!"), Member("/usr/bin/y", b"x", stat.S_IFLNK | 0o777)],
            scriptlets={"post": "print(1)"},
            modularity="m:1:2:3",
        ),
        make_srpm(tmp_path),
    ]
    base = ["rpm", "--dbpath", str(tmp_path / "db"), "--root", str(tmp_path / "root")]
    checked = subprocess.run(["rpmkeys", *base[1:], "-Kv", *map(str, paths)], capture_output=True, text=True)
    assert checked.returncode == 0, checked.stderr
    assert checked.stdout.count("Header SHA1 digest: OK") == checked.stdout.count("MD5 digest: OK") == len(paths)
    done = subprocess.run([*base, "-U", "--nodeps", "--ignorearch", *map(str, paths)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "root/usr/bin/y").readlink() == Path("x")
