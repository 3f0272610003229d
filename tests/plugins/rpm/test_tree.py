"""Trees of RPM repositories: what is in them, and that it is consistent."""

from __future__ import annotations

import datetime as dt
import gzip
import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from entrepot.contracts import Signer, TreeFile, TreeTools
from entrepot.errors import IndexFormatError
from entrepot.models import Extra, PackageInfo, Phase
from entrepot.publish.encoders import COMPRESSIONS
from entrepot.publish.pieces import IndexRenderer, PieceCache
from entrepot_plugins.rpm.raw import unpack
from entrepot_plugins.rpm.tree import RpmTree, located
from support.rpm_views import RpmView, a_rpm_distribution, a_rpm_repository, an_rpm, extra
from support.signers import StampSigner
from support.views import NOW, content

REPO = "{http://linux.duke.edu/metadata/repo}"
COMMON = "{http://linux.duke.edu/metadata/common}"
FOLDER = "el9/x86_64/repodata"
BASE = "{http://www.w3.org/XML/1998/namespace}base"


class Built:
    """A rendered distribution."""

    def __init__(
        self,
        folder: Path,
        packages: Iterable[PackageInfo] = (),
        extras: Sequence[Extra] = (),
        *,
        compressions: tuple[str, ...] = (),
        signer: Signer | None = None,
        now: dt.datetime = NOW,
    ) -> None:
        version = RpmView(a_rpm_repository(), a_rpm_distribution(compressions=compressions), packages, extras)
        renderer = IndexRenderer(PieceCache(folder), version.load, salt="rpm 1")
        tools = TreeTools(renderer, signer, now, renderer.together, renderer.text)
        files = list(RpmTree().build(version, tools))
        self.files: Mapping[str, TreeFile] = {file.path: file for file in files}
        assert len(self.files) == len(files)
        self.contents = {path: content(file) for path, file in self.files.items()}
        self.repomd = ElementTree.fromstring(self.contents[f"{FOLDER}/repomd.xml"])
        records = self.repomd.findall(f"{REPO}data")
        self.records = {record.attrib["type"]: record for record in records}
        assert len(self.records) == len(records)

    def field(self, kind: str, name: str) -> str | None:
        """What a record of repomd.xml says."""
        return self.records[kind].findtext(f"{REPO}{name}")

    def path(self, kind: str) -> str:
        """Where the file of a record is."""
        location = self.records[kind].find(f"{REPO}location")
        assert location is not None
        return f"el9/x86_64/{location.attrib['href']}"

    def raw(self, kind: str) -> bytes:
        """The file of a record."""
        return self.contents[self.path(kind)]

    def text(self, kind: str) -> bytes:
        """The content of a file that is compressed by gzip."""
        return gzip.decompress(self.raw(kind))


def every_kind() -> list[PackageInfo]:
    return [
        an_rpm("hello"),
        an_rpm("hello", "2.0"),
        an_rpm("hello-doc", arch="noarch"),
        an_rpm("hello", arch="src"),
        an_rpm("Zoo", arch="i686"),
    ]


def every_extra() -> list[Extra]:
    return [
        extra("advisory", "EX-2026:1", b'<update type="security"><id>EX-2026:1</id></update>'),
        extra("advisory", "EX-2026:2", b"<update><id>EX-2026:2</id></update>\n"),
        extra("environment", "desktop", b"<environment><id>desktop</id></environment>"),
        extra("group", "core", b"<group><id>core</id></group>"),
        extra("module", "hello:1", b"document: modulemd\nversion: 2\n"),
        extra("module", "hello:2", b"---\ndocument: modulemd-defaults\n...\n"),
        extra("file:productid", "productid", b"\x1f\x8b of any kind", name="productid.gz"),
    ]


def test_repomd_lists_every_file_with_the_digests_and_sizes_that_it_has(tmp_path: Path) -> None:
    built = Built(tmp_path, every_kind(), every_extra())
    listed = {built.path(kind): kind for kind in built.records}
    assert set(built.files) == {*listed, f"{FOLDER}/repomd.xml"}
    for path, kind in listed.items():
        data = built.contents[path]
        assert built.field(kind, "size") == str(len(data))
        assert built.field(kind, "checksum") == hashlib.sha256(data).hexdigest()
        if (open_checksum := built.field(kind, "open-checksum")) is not None:
            plain = gzip.decompress(data)
            assert open_checksum == hashlib.sha256(plain).hexdigest()
            assert built.field(kind, "open-size") == str(len(plain))


def test_the_records_come_in_a_fixed_order(tmp_path: Path) -> None:
    built = Built(tmp_path, every_kind(), every_extra())
    packages = ["primary", "filelists", "other"]
    assert list(built.records) == [*packages, "updateinfo", "group", "group_gz", "modules", "productid"]


def test_files_of_repodata_have_their_digest_in_their_name_and_never_change(tmp_path: Path) -> None:
    built = Built(tmp_path, every_kind(), every_extra(), signer=StampSigner())
    for path, file in built.files.items():
        if "repomd.xml" not in path:
            assert path.startswith(f"{FOLDER}/{file.sha256}-")
            assert file.phase == Phase.IMMUTABLE


def test_what_a_client_reads_first_is_written_last_right_after_its_signature(tmp_path: Path) -> None:
    built = Built(tmp_path, every_kind(), signer=StampSigner())
    last = [(path.rpartition("/")[2], file.phase) for path, file in built.files.items()][-3:]
    assert last == [
        ("repomd.xml.key", Phase.SIGNATURE),
        ("repomd.xml.asc", Phase.SIGNATURE),
        ("repomd.xml", Phase.ENTRY),
    ]
    signed = built.contents[f"{FOLDER}/repomd.xml"]
    assert built.contents[f"{FOLDER}/repomd.xml.asc"] == StampSigner().detach(signed, now=NOW)
    assert built.contents[f"{FOLDER}/repomd.xml.key"] == StampSigner.public_key


def test_without_a_signer_there_is_a_repomd_alone(tmp_path: Path) -> None:
    built = Built(tmp_path)
    assert [path for path in built.files if "repomd.xml" in path] == [f"{FOLDER}/repomd.xml"]


@given(st.permutations(every_kind()))
@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_same_packages_give_the_same_bytes_in_whatever_order_they_come(
    tmp_path_factory: pytest.TempPathFactory, packages: list[PackageInfo]
) -> None:
    first, second = (Built(tmp_path_factory.mktemp("cache"), some) for some in (every_kind(), packages))
    assert first.contents == second.contents


@pytest.mark.parametrize("zone", [dt.UTC, dt.timezone(dt.timedelta(hours=-5))])
def test_times_are_seconds_since_1970_whatever_the_zone(tmp_path: Path, zone: dt.tzinfo) -> None:
    built = Built(tmp_path, every_kind(), now=NOW.astimezone(zone))
    seconds = str(int(NOW.timestamp()))
    assert built.repomd.findtext(f"{REPO}revision") == seconds
    assert {built.field(kind, "timestamp") for kind in built.records} == {seconds}


def test_another_clock_changes_only_repomd_and_its_signature(tmp_path: Path) -> None:
    now = Built(tmp_path, every_kind(), every_extra(), signer=StampSigner())
    later = Built(tmp_path, every_kind(), every_extra(), signer=StampSigner(), now=NOW + dt.timedelta(hours=1))
    changed = {path for path in now.contents if now.contents[path] != later.contents.get(path)}
    assert changed == {f"{FOLDER}/repomd.xml", f"{FOLDER}/repomd.xml.asc"}


@pytest.mark.parametrize(
    ("kind", "root"), [("primary", "metadata"), ("filelists", "filelists"), ("other", "otherdata")]
)
@pytest.mark.parametrize("packages", [[], every_kind()])
def test_indexes_say_how_many_packages_they_have(
    tmp_path: Path, kind: str, root: str, packages: list[PackageInfo]
) -> None:
    document = ElementTree.fromstring(Built(tmp_path, packages).text(kind))
    assert document.tag.endswith(f"}}{root}")
    assert document.attrib == {"packages": str(len(packages))}
    assert len(document) == len(packages)


def test_sources_come_after_what_is_installed_in_one_index(tmp_path: Path) -> None:
    document = ElementTree.fromstring(Built(tmp_path, every_kind()).text("primary"))
    listed = [(package.findtext(f"{COMMON}name"), package.findtext(f"{COMMON}arch")) for package in document]
    assert listed[-1] == ("hello", "src")
    assert sorted(listed[:-1]) == listed[:-1]


def test_elements_of_packages_are_as_they_came_but_for_their_place(tmp_path: Path) -> None:
    package = an_rpm("hello")
    built = Built(tmp_path, [package])
    primary, filelists, other = (element.decode() for element in unpack(package.raw))
    placed = primary.replace("upstream/hello.rpm", "Packages/h/hello-1.0-1.x86_64.rpm")
    assert placed in built.text("primary").decode()
    assert filelists in built.text("filelists").decode()
    assert other in built.text("other").decode()


def test_a_package_without_an_element_in_filelists_is_left_out_there(tmp_path: Path) -> None:
    built = Built(tmp_path, [an_rpm("hello", filelists=""), an_rpm("other")])
    assert b'name="hello"' not in built.text("filelists")
    assert b'name="other"' in built.text("filelists")


@pytest.mark.parametrize("compression", COMPRESSIONS)
def test_the_first_compression_is_the_one_that_is_used(tmp_path: Path, compression: str) -> None:
    others = tuple(name for name in COMPRESSIONS if name != compression)
    built = Built(tmp_path, every_kind(), every_extra(), compressions=(compression, *others))
    suffixes = {kind: built.path(kind).rpartition(".")[2] for kind in built.records}
    assert suffixes == {
        **dict.fromkeys(("primary", "filelists", "other", "updateinfo", "modules"), compression),
        "group": "xml",
        "group_gz": "gz",
        "productid": "gz",
    }


def test_what_there_is_nothing_of_has_no_file(tmp_path: Path) -> None:
    assert list(Built(tmp_path, every_kind()).records) == ["primary", "filelists", "other"]


def test_advisories_are_one_document(tmp_path: Path) -> None:
    document = ElementTree.fromstring(Built(tmp_path, extras=every_extra()).text("updateinfo"))
    assert document.tag == "updates"
    assert [update.findtext("id") for update in document] == ["EX-2026:1", "EX-2026:2"]


def test_groups_are_there_plain_and_compressed_with_what_is_made_of_them_after_them(tmp_path: Path) -> None:
    built = Built(tmp_path, extras=every_extra())
    assert built.raw("group") == built.text("group_gz")
    assert [item.tag for item in ElementTree.fromstring(built.raw("group"))] == ["group", "environment"]


def test_documents_about_modules_are_kept_apart(tmp_path: Path) -> None:
    assert Built(tmp_path, extras=every_extra()).text("modules") == (
        b"---\ndocument: modulemd\nversion: 2\n...\n---\ndocument: modulemd-defaults\n...\n"
    )


def test_a_file_of_another_type_is_kept_as_it_is(tmp_path: Path) -> None:
    built = Built(tmp_path, extras=every_extra())
    assert built.raw("productid") == b"\x1f\x8b of any kind"
    assert built.path("productid").endswith("-productid.gz")


def test_what_upstream_says_of_a_kept_file_without_compression_is_said_again(tmp_path: Path) -> None:
    known: dict[str, object] = {"open_checksum": f"sha256:{'a' * 64}", "open_size": 70}
    built = Built(tmp_path, extras=[extra("file:productid", "productid", b"content", **known)])
    assert (built.field("productid", "open-checksum"), built.field("productid", "open-size")) == ("a" * 64, "70")
    known = {"open_checksum": "sha1:abc", "open_size": None}
    built = Built(tmp_path, extras=[extra("file:productid", "productid", b"content", **known)])
    assert (built.field("productid", "open-checksum"), built.field("productid", "open-size")) == (None, None)


@pytest.mark.parametrize(
    "kind",
    [
        *("primary_db", "filelists_zck", "group_xz", "updateinfo_zck", "prestodelta", "filelists-ext", "modules"),
        *("../../etc/passwd", "a b", "", "x" * 100, 'a"b'),
    ],
)
def test_a_file_that_lists_packages_or_cannot_be_named_is_left_out(tmp_path: Path, kind: str) -> None:
    built = Built(tmp_path, extras=[extra(f"file:{kind}", "some", b"content")])
    assert list(built.records) == ["primary", "filelists", "other"]


def test_of_two_files_of_one_type_there_is_one(tmp_path: Path) -> None:
    files = [extra("file:productid", "productid", text) for text in (b"first", b"second")]
    assert Built(tmp_path, extras=files).raw("productid") == b"first"


@pytest.mark.parametrize("name", ["../x/passwd", "a\n.gz", "productid.exe", 'a".gz', "..gz.."])
def test_the_name_of_a_file_from_outside_is_not_taken_over(tmp_path: Path, name: str) -> None:
    built = Built(tmp_path, extras=[extra("file:productid", "productid", b"content", name=name)])
    assert re.fullmatch(rf"{FOLDER}/[0-9a-f]{{64}}-productid(\.gz)?", built.path("productid"))


@pytest.mark.parametrize(
    ("name", "folder"),
    [("hello", "h"), ("Zoo", "z"), ("0ad", "0"), ("+x", "_"), ("../../x", "_"), ("/x", "_"), ("", "_"), ("İx", "_")],
)
def test_the_folder_of_a_package_is_its_first_letter(name: str, folder: str) -> None:
    location = RpmTree().location(an_rpm(name), a_rpm_distribution(), "main")
    assert location == f"el9/x86_64/Packages/{folder}"


def test_nothing_runs_out() -> None:
    assert not RpmTree().expired(a_rpm_distribution(), NOW - dt.timedelta(days=10_000), NOW)


@pytest.mark.parametrize(
    "location",
    [
        '<location href="a.rpm"/>',
        "<location href='a.rpm' />",
        '<location xml:base="http://example.org/>" href="a.rpm"/>',
        "<location\n  href='b\"/>.rpm'\n\txml:base = 'x'></location>",
        '<location href="a/b.rpm"></location >',
        "<location/>",
        '<location href="a.rpm"/><location href="https://example.org/b.rpm"/>',
    ],
)
def test_the_location_is_replaced_however_it_was_written(location: str) -> None:
    element = f'<package a="1"><description>a &lt;location href="x"/&gt;</description>{location}<locations/></package>'
    result = ElementTree.fromstring(located(element.encode(), "Packages/a/a&b.rpm"))
    found = result.findall("location")
    assert [item.attrib for item in found] == [{"href": "Packages/a/a&b.rpm"}]
    assert result.findtext("description") == 'a <location href="x"/>'
    assert result.find("locations") is not None


@given(
    st.dictionaries(st.sampled_from(["href", "xml:base", "x", "y-z"]), st.text(st.characters(codec="utf-8"))),
    st.text(alphabet="abc<>&\"'/= \n"),
)
@settings(deadline=None)
def test_nothing_but_the_location_changes_whatever_its_attributes_are(attributes: dict[str, str], text: str) -> None:
    package = ElementTree.Element("package")
    ElementTree.SubElement(package, "name").text = text
    named = {BASE if name == "xml:base" else name: _printable(value) for name, value in attributes.items()}
    ElementTree.SubElement(package, "location", named)
    ElementTree.SubElement(package, "format", {"location": text}).text = text
    before = ElementTree.tostring(package)
    after = ElementTree.fromstring(located(before, "new.rpm"))
    assert [item.attrib for item in after.findall("location")] == [{"href": "new.rpm"}]
    expected = ElementTree.fromstring(before)
    for tree in (after, expected):
        for found in tree.findall("location"):
            tree.remove(found)
    assert ElementTree.tostring(after) == ElementTree.tostring(expected)


def _printable(text: str) -> str:
    """Without the characters that no XML document may hold."""
    return "".join(char for char in text if char.isprintable())


def test_a_package_without_a_location_is_an_error_that_names_it() -> None:
    with pytest.raises(IndexFormatError, match=r"the metadata of a\.rpm has no location"):
        located(b"<package><name>location</name></package>", "a.rpm")


def test_one_more_package_renders_only_what_is_next_to_it(tmp_path: Path) -> None:
    packages = [an_rpm(f"package-{number:04}") for number in range(2000)]
    Built(tmp_path, packages)
    pieces = {path.name for path in tmp_path.rglob("*.gz6")}
    Built(tmp_path, [*packages, an_rpm("package-1000-more")])
    assert len({path.name for path in tmp_path.rglob("*.gz6")} - pieces) <= 6
