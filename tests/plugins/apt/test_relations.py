"""Relationship fields of binary packages."""

from __future__ import annotations

import pytest

from entrepot.errors import IndexFormatError
from entrepot_plugins.apt.relations import RelationReader, Relations, clause_text
from entrepot_plugins.apt.version import DebianVersions


def read(*fields: str) -> Relations:
    raw = "\n".join(("Package: hello", "Version: 1", *fields)).encode()
    return RelationReader(DebianVersions()).read(raw, "hello:amd64=1")


@pytest.mark.parametrize(
    ("written", "texts"),
    [
        ("libc6", ["libc6"]),
        ("libc6 (>= 2.36)", ["libc6 (>= 2.36)"]),
        ("libc6(>=2.36)", ["libc6 (>= 2.36)"]),
        ("libc6  ( >=\t2.36 )", ["libc6 (>= 2.36)"]),
        ("a (<< 1), b (<= 1~), c (= 1:2-3), d (>> 0)", ["a (<< 1)", "b (<= 1~)", "c (= 1:2-3)", "d (>> 0)"]),
        ("a (< 1), b (> 1)", ["a (<= 1)", "b (>= 1)"]),
        ("a | b (>= 2)|c", ["a | b (>= 2) | c"]),
        ("python3:any (>= 3.11~), gcc:native, wine32:i386", ["python3:any (>= 3.11~)", "gcc:native", "wine32:i386"]),
        ("a,\n b,\n\tc", ["a", "b", "c"]),
        ("a, , b,", ["a", "b"]),
        ("", []),
        ("libstdc++6, g++, 0ad, Vendor_Tool", ["libstdc++6", "g++", "0ad", "Vendor_Tool"]),
    ],
)
def test_a_field_is_read_as_debian_writes_it(written: str, texts: list[str]) -> None:
    assert [clause_text(clause) for clause in read(f"Depends: {written}").depends] == texts


def test_every_field_goes_to_its_own_place() -> None:
    relations = read(
        "pre-depends: a", "DEPENDS: b", "Recommends: c | d", "Conflicts: e", "Breaks: f (<< 2)", "Provides: g (= 3), h",
        "Replaces: i", "Multi-Arch: foreign", "Priority: Important", "Essential: yes",
    )  # fmt: skip
    assert [clause_text(clause) for clause in relations.pre_depends + relations.depends] == ["a", "b"]
    assert [clause_text(clause) for clause in relations.recommends] == ["c | d"]
    singles = relations.conflicts + relations.breaks + relations.provides + relations.replaces
    assert [str(relation) for relation in singles] == ["e", "f (<< 2)", "g (= 3)", "h", "i"]
    assert (relations.multi_arch, relations.priority, relations.essential) == ("foreign", "important", True)


def test_a_stanza_without_relations_has_none() -> None:
    assert read("Description: Depends: x", " Depends: y", "Enhances: z") == Relations()


def test_an_unknown_multi_arch_is_none() -> None:
    assert read("Multi-Arch: <script>").multi_arch == "no"


def test_provides_with_an_inequality_provides_nothing() -> None:
    assert [str(relation) for relation in read("Provides: a (>= 1), b (= 1)").provides] == ["b (= 1)"]


@pytest.mark.parametrize(
    ("relation", "version", "admitted"),
    [
        ("a (<< 1.0)", "1.0~rc1", True),
        ("a (<< 1.0)", "1.0", False),
        ("a (<= 1.0)", "1.0", True),
        ("a (<= 1.0)", "1.0-1", False),
        ("a (= 1.0)", "0:1.0", True),
        ("a (= 1.0)", "1:1.0", False),
        ("a (>= 1.0)", "1.0~", False),
        ("a (>= 1.0)", "1.0", True),
        ("a (>> 1.0)", "1.0", False),
        ("a (>> 9)", "1:1", True),
        ("a", "0", True),
    ],
)
def test_versions_are_compared_as_dpkg_does(relation: str, version: str, admitted: bool) -> None:
    ((parsed,),) = read(f"Depends: {relation}").depends
    assert parsed.admits(DebianVersions().key(version)) is admitted


@pytest.mark.parametrize(
    "field", ["Pre-Depends", "Depends", "Recommends", "Conflicts", "Breaks", "Provides", "Replaces"]
)
@pytest.mark.parametrize(
    "value",
    [
        "a b",
        "a |",
        "| a",
        "a (>= )",
        "a (>=)",
        "a (1)",
        "a (== 1)",
        "a (==1)",
        "a (>= 1",
        "a (>= 1))",
        "a (>= x:1)",
        "a (>= 1) (<< 2)",
        "a [amd64]",
        "a <!nocheck>",
        "a:",
        "a:ANY",
        "-a",
        "<b>a</b>",
        "a;b",
        "caf\u00e9",
        "a\u0000b",
        "${shlibs:Depends}",
        "a (" + " " * 50_000 + "x",
        "a" * 50_000 + "!",
    ],
)
def test_what_is_no_relation_is_refused_with_package_and_field(field: str, value: str) -> None:
    with pytest.raises(IndexFormatError) as caught:
        read(f"{field}: ok, {value}")
    assert caught.value.message.startswith(f"hello:amd64=1: field {field} is malformed: ")
    assert caught.value.data == {"package": "hello:amd64=1", "field": field}
    assert len(caught.value.message) < 400
    assert caught.value.message.isprintable()


@pytest.mark.parametrize("field", ["Conflicts", "Breaks", "Provides", "Replaces"])
def test_alternatives_are_refused_where_policy_has_none(field: str) -> None:
    with pytest.raises(IndexFormatError, match=f"field {field} .* alternatives"):
        read(f"{field}: a | b")
