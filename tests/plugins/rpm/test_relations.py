"""What packages say of others, out of the text that the catalog keeps of them."""

from __future__ import annotations

import pytest

from entrepot.errors import IndexFormatError
from entrepot_plugins.rpm.dependencies import Capability, Rich
from entrepot_plugins.rpm.raw import pack
from entrepot_plugins.rpm.relations import RelationReader, Relations


def read(body: str, head: str = "<package>") -> Relations:
    primary = f"{head}<name>w</name><format>{body}</format></package>"
    return RelationReader().read(pack(primary.encode(), b"", b""), "w-1")


def requires(entry: str) -> object:
    return read(f"<rpm:requires>{entry}</rpm:requires>").requires[0]


@pytest.mark.parametrize(
    ("entry", "dependency"),
    [
        ('<rpm:entry name="a"/>', Capability("a")),
        ('<rpm:entry name="a" pre="1"></rpm:entry>', Capability("a")),
        ('<rpm:entry name="a" flags="GE" epoch="0" ver="1" rel="2"/>', Capability("a", ">=", "1-2")),
        ('<rpm:entry name="a" flags="GT" ver="1"/>', Capability("a", ">", "1")),
        ('<rpm:entry name="a" flags="LE" epoch="" ver="1"/>', Capability("a", "<=", "1")),
        ('<rpm:entry name="a" flags="LT" epoch="3" ver="1"/>', Capability("a", "<", "3:1")),
        ('<rpm:entry name="a" flags="EQ" epoch="0" ver=""/>', Capability("a")),
        ('<rpm:entry name="a" epoch="0" ver="1"/>', Capability("a")),
        ('<rpm:entry name="perl(Foo::Bar)"/>', Capability("perl(Foo::Bar)")),
        ('<rpm:entry name="x&amp;y &lt;z&gt;"/>', Capability("x&y <z>")),
        ('<rpm:entry name="(a if b)"/>', Rich("if", (Capability("a"), Capability("b")))),
        ('<rpm:entry name="(a)(b)" flags="EQ" ver="1"/>', Capability("(a)(b)", "=", "1")),
    ],
)
def test_an_entry_is_a_dependency(entry: str, dependency: object) -> None:
    assert requires(entry) == dependency


def test_every_kind_of_relation_is_read() -> None:
    kinds = ("requires", "provides", "conflicts", "obsoletes", "recommends", "suggests", "supplements", "enhances")
    body = "".join(f'<rpm:{kind}><rpm:entry name="{kind}-x"/></rpm:{kind}>' for kind in kinds)
    relations = read(f"<rpm:license>MIT</rpm:license>\n{body}\n<file>/etc/x</file><file type='dir'>/etc/y</file>")
    assert {kind: str(getattr(relations, kind)[0]) for kind in kinds} == {kind: f"{kind}-x" for kind in kinds}
    assert relations.files == {"/etc/x", "/etc/y"}
    assert set(relations.paths()) == set()


def test_features_of_rpm_itself_are_left_out() -> None:
    entries = '<rpm:entry name="rpmlib(PayloadIsZstd)" flags="LE" ver="5.4.18"/><rpm:entry name="a"/>'
    assert read(f"<rpm:requires>{entries}</rpm:requires>").requires == (Capability("a"),)


def test_paths_are_those_that_something_is_said_of() -> None:
    body = (
        '<rpm:requires><rpm:entry name="/bin/a"/><rpm:entry name="(/bin/b if c)"/></rpm:requires>'
        '<rpm:conflicts><rpm:entry name="/bin/c"/></rpm:conflicts>'
        '<rpm:provides><rpm:entry name="/bin/d"/></rpm:provides>'
    )
    assert set(read(body).paths()) == {"/bin/a", "/bin/b", "/bin/c"}


def test_a_package_without_relations_has_none() -> None:
    primary = b'<package type="rpm"><name>w</name></package>'
    assert RelationReader().read(pack(primary, b"", b""), "w-1") == Relations()


def test_an_element_may_declare_its_own_namespaces() -> None:
    head = '<package xmlns:rpm="http://linux.duke.edu/metadata/rpm" xmlns="http://linux.duke.edu/metadata/common">'
    assert read('<rpm:provides><rpm:entry name="a"/></rpm:provides>', head).provides == (Capability("a"),)


@pytest.mark.parametrize(
    ("path", "found"), [("/usr/share/a&b", True), ("/usr/share/a", False), ("/usr/share/a&b/c", False)]
)
def test_files_are_looked_for_in_filelists(path: str, found: bool) -> None:
    filelists = b'<package pkgid="1"><file>/usr/share/a&amp;b</file><file>/x</file></package>'
    raw = pack(b"<package/>", filelists, b"")
    assert RelationReader().listed(raw, [path, "/nowhere"], "w-1") == ({path} if found else set())


def test_a_package_without_filelists_has_no_files() -> None:
    assert RelationReader().listed(pack(b"<package/>", b"", b""), ["/x"], "w-1") == frozenset()


HOSTILE = {
    "no XML": b"not XML",
    "nothing": b"",
    "cut short": b"<package><format>",
    "two elements": b"<package/><package/>",
    "out of its element": b"</metadata><metadata><package/>",
    "a document type": b'<!DOCTYPE x [<!ENTITY e "boom">]><package>&e;</package>',
    "an entity": b"<package><format><file>&e;</file></format></package>",
    "another prefix": b'<package><format><y:requires><y:entry name="a"/></y:requires></format></package>',
    "no UTF-8": b"<package><name>\xff</name></package>",
    "a control character": b"<package><name>\x01</name></package>",
    "too deep": b"<package>" + b"<a>" * 10_000 + b"</a>" * 10_000 + b"</package>",
    "no name": b"<package><format><rpm:requires><rpm:entry/></rpm:requires></format></package>",
    "an empty name": b'<package><format><rpm:requires><rpm:entry name=""/></rpm:requires></format></package>',
    "no comparison": b'<package><format><rpm:requires><rpm:entry name="a" flags="NE" ver="1"/></rpm:requires></format>'
    b"</package>",
    "no expression": b'<package><format><rpm:requires><rpm:entry name="(a or"/></rpm:requires></format></package>',
    "libsolv's own": b'<package><format><rpm:provides><rpm:entry name="solvable:filemarker"/></rpm:provides></format>'
    b"</package>",
}


@pytest.mark.parametrize("case", HOSTILE, ids=lambda case: case)
def test_what_makes_no_sense_is_refused_naming_the_package(case: str) -> None:
    with pytest.raises(IndexFormatError, match=r"^w-1: ") as caught:
        RelationReader().read(pack(HOSTILE[case], b"", b""), "w-1")
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 300
