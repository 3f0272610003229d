"""Which indexes of an APT repository are read: components, architectures, kinds; flat and layered repositories."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from entrepot.errors import IndexFormatError, MissingError, NotFoundError, UsageError
from support.apt_repository import Reader, Suite, index, stanza
from support.upstream import Upstream


@pytest.fixture
def up() -> Iterator[Upstream]:
    with Upstream() as upstream:
        yield upstream


@pytest.fixture
def reader(up: Upstream, tmp_path: Path) -> Reader:
    return Reader(up, tmp_path)


def packages(*paths: str) -> dict[str, bytes]:
    """Indexes at these paths, each with a package that is called like the index."""
    return {path: index(stanza(path.replace("/", "-").lower())) for path in paths}


def source_stanza(name: str = "hello") -> bytes:
    digest = "ab" * 32
    lines = f"\n {digest} 100 {name}_1.0.dsc\n {digest} 2000 {name}_1.0.tar.xz"
    return stanza(
        name, Architecture="any", Filename="", SHA256="", Size="", Directory=f"pool/{name}", Checksums_Sha256=lines
    )


ALL = packages(
    "main/binary-amd64/Packages",
    "main/binary-arm64/Packages",
    "contrib/binary-amd64/Packages",
    "contrib/binary-arm64/Packages",
)


@pytest.mark.parametrize(
    ("components", "architectures", "expected"),
    [
        ((), (), sorted(ALL)),
        (("main",), (), ["main/binary-amd64/Packages", "main/binary-arm64/Packages"]),
        ((), ("arm64",), ["contrib/binary-arm64/Packages", "main/binary-arm64/Packages"]),
        (("contrib",), ("amd64",), ["contrib/binary-amd64/Packages"]),
    ],
)
def test_what_is_named_is_read_and_everything_where_nothing_is_named(
    reader: Reader, up: Upstream, components: tuple[str, ...], architectures: tuple[str, ...], expected: list[str]
) -> None:
    up.files = Suite(indexes=ALL).files()
    reader.components, reader.architectures = components, architectures
    reader.read()
    assert sorted(reader.rows) == [f"dists/stable/{path}" for path in expected]


@pytest.mark.parametrize(
    ("components", "architectures", "message", "hint"),
    [
        (("universe",), (), "no component 'universe'", "it has: main, contrib"),
        ((), ("mips",), "no architecture 'mips'", "it has: amd64, arm64"),
    ],
)
def test_an_unknown_name_is_an_error_that_lists_what_there_is(
    reader: Reader, up: Upstream, components: tuple[str, ...], architectures: tuple[str, ...], message: str, hint: str
) -> None:
    up.files = Suite(indexes=ALL).files()
    reader.components, reader.architectures = components, architectures
    with pytest.raises(NotFoundError, match=message) as caught:
        reader.read()
    assert caught.value.hint == hint


def test_an_unknown_distribution_is_an_error_that_says_where_it_was_looked_for(reader: Reader, up: Upstream) -> None:
    reader.distributions = ("unheard-of",)
    with pytest.raises(MissingError, match=r"no distribution 'unheard-of'.*/dists/unheard-of"):
        reader.read()


def test_a_distribution_is_not_taken_for_one_whose_name_starts_alike(reader: Reader, up: Upstream) -> None:
    updates = Suite("trixie-updates", packages("main/binary-amd64/Packages"))
    up.files = updates.files()
    reader.distributions = ("trixie",)
    with pytest.raises(MissingError, match="no distribution 'trixie'"):
        reader.read()


def test_a_named_architecture_without_any_index_is_an_error_unless_that_is_ignored(
    reader: Reader, up: Upstream
) -> None:
    suite = Suite(indexes=packages("main/binary-amd64/Packages"), header={"Architectures": "amd64 arm64"})
    up.files = suite.files()
    reader.architectures = ("amd64", "arm64")
    with pytest.raises(NotFoundError, match="lists no Packages file for arm64"):
        reader.read()
    reader.options = {"ignore_missing_indices": True}
    update = reader.read()
    assert update is not None
    assert len(update.warnings) == 1


def test_an_architecture_that_is_named_by_release_alone_is_passed_over(reader: Reader, up: Upstream) -> None:
    up.files = Suite(indexes=packages("main/binary-amd64/Packages"), header={"Architectures": "amd64 arm64"}).files()
    update = reader.read()
    assert update is not None
    assert not update.warnings
    assert [part.architecture for part in update.parts] == ["amd64"]


# ------------------------------------------------------------------------------------------- architecture "all"

WITH_ALL = packages("main/binary-all/Packages", "main/binary-amd64/Packages")


def test_binary_all_is_read_where_the_other_indexes_do_not_have_its_packages(reader: Reader, up: Upstream) -> None:
    up.files = Suite(indexes=WITH_ALL).files()
    reader.architectures = ("amd64",)
    reader.read()
    assert sorted(reader.rows) == [f"dists/stable/{path}" for path in WITH_ALL]


def test_binary_all_is_not_read_where_release_says_that_the_others_have_its_packages(
    reader: Reader, up: Upstream
) -> None:
    up.files = Suite(indexes=WITH_ALL, header={"No-Support-for-Architecture-all": "Packages"}).files()
    reader.read()
    assert sorted(reader.rows) == ["dists/stable/main/binary-amd64/Packages"]


def test_binary_all_alone_can_be_asked_for(reader: Reader, up: Upstream) -> None:
    up.files = Suite(indexes=WITH_ALL, header={"No-Support-for-Architecture-all": "Packages"}).files()
    reader.architectures = ("all",)
    reader.read()
    assert sorted(reader.rows) == ["dists/stable/main/binary-all/Packages"]


def test_a_partial_mirror_may_name_all_and_list_no_binary_all(reader: Reader, up: Upstream) -> None:
    up.files = Suite(indexes=packages("main/binary-amd64/Packages"), header={"Architectures": "all amd64"}).files()
    update = reader.read()
    assert update is not None
    assert not update.warnings
    assert sorted(reader.rows) == ["dists/stable/main/binary-amd64/Packages"]


# -------------------------------------------------------------------------------------------- kinds of packages


def test_udebs_are_read_on_request(reader: Reader, up: Upstream) -> None:
    up.files = Suite(
        indexes=packages("main/binary-amd64/Packages", "main/debian-installer/binary-amd64/Packages")
    ).files()
    reader.read()
    assert len(reader.rows) == 1
    reader.options = {"udebs": True}
    update = reader.read()
    assert update is not None
    assert [(part.kind, part.component, part.architecture) for part in update.parts] == [
        ("binary", "main", "amd64"),
        ("udeb", "main", "amd64"),
    ]


def test_sources_are_read_on_request(reader: Reader, up: Upstream) -> None:
    indexes = packages("main/binary-amd64/Packages") | {"main/source/Sources": index(source_stanza())}
    up.files = Suite(indexes=indexes).files()
    reader.options = {"sources": True}
    reader.read()
    (row,) = reader.rows["dists/stable/main/source/Sources"]
    assert (row.name, row.architecture, row.size, row.location) == ("hello", "source", 2100, "pool/hello/hello_1.0.dsc")


def test_source_as_the_only_architecture_reads_no_binary_packages(reader: Reader, up: Upstream) -> None:
    indexes = packages("main/binary-amd64/Packages") | {"main/source/Sources": index(source_stanza())}
    up.files = Suite(indexes=indexes).files()
    reader.options, reader.architectures, reader.components = {"sources": True}, ("source",), ("main",)
    reader.read()
    assert sorted(reader.rows) == ["dists/stable/main/source/Sources"]


@pytest.mark.parametrize("option", ["udebs", "sources"])
def test_a_kind_that_the_distribution_does_not_have_is_a_warning(reader: Reader, up: Upstream, option: str) -> None:
    up.files = Suite(indexes=packages("main/binary-amd64/Packages")).files()
    reader.options = {option: True}
    update = reader.read()
    assert update is not None
    assert update.warnings == [f"upstream: stable lists no indexes of {option}"]


# ----------------------------------------------------------------------------------------- slashes and prefixes


@pytest.mark.parametrize("wanted", ["main", "updates/main"])
def test_a_component_with_a_prefix_keeps_its_name_and_is_in_the_folder_of_its_last_part(
    reader: Reader, up: Upstream, wanted: str
) -> None:
    suite = Suite(
        "stable/updates", packages("main/binary-amd64/Packages"), {"Components": "updates/main updates/contrib"}
    )
    up.files = suite.files()
    reader.distributions, reader.components = ("stable/updates",), (wanted,)
    update = reader.read()
    assert update is not None
    assert [(part.key, part.component) for part in update.parts] == [
        ("dists/stable/updates/main/binary-amd64/Packages", "updates/main")
    ]


def test_a_component_with_a_slash_may_be_a_folder_of_that_name(reader: Reader, up: Upstream) -> None:
    up.files = Suite(indexes=packages("a/b/binary-amd64/Packages"), header={"Components": "a/b"}).files()
    reader.read()
    assert sorted(reader.rows) == ["dists/stable/a/b/binary-amd64/Packages"]


def test_a_release_without_components_and_architectures_is_read_by_what_it_lists(reader: Reader, up: Upstream) -> None:
    up.files = Suite(indexes=ALL, header={"Components": "", "Architectures": "", "Codename": "", "Suite": ""}).files()
    reader.architectures = ("arm64",)
    reader.read()
    assert sorted(reader.rows) == [
        "dists/stable/contrib/binary-arm64/Packages",
        "dists/stable/main/binary-arm64/Packages",
    ]


# ------------------------------------------------------------------------------------------------------- flat

FLAT_HEADER = {"Components": "", "Architectures": "", "Codename": "", "Suite": "", "Date": ""}


@pytest.mark.parametrize(("name", "key"), [("./", "Packages"), ("nest/x/", "nest/x/Packages")])
def test_a_flat_repository_is_read_at_its_folder(reader: Reader, up: Upstream, name: str, key: str) -> None:
    up.files = Suite(name, {"Packages": index(stanza(Filename="./hello.deb"))}, FLAT_HEADER).files()
    reader.distributions = (name,)
    update = reader.read()
    assert update is not None
    assert [(part.key, part.component, part.architecture) for part in update.parts] == [(key, "", "")]
    assert reader.rows[key][0].location == "hello.deb"


def test_of_a_flat_repository_only_the_wanted_architectures_are_read(reader: Reader, up: Upstream) -> None:
    content = index(stanza("a"), stanza("b", architecture="i386"), stanza("c", architecture="all"))
    up.files = Suite("./", {"Packages": content}, FLAT_HEADER).files()
    reader.distributions, reader.architectures = ("./",), ("amd64",)
    reader.read()
    assert reader.names == {"Packages": ["a", "c"]}
    reader.architectures = ("amd64", "i386")
    reader.read()
    assert reader.names == {"Packages": ["a", "b", "c"]}


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_a_flat_repository_may_have_no_release_at_all(reader: Reader, up: Upstream, suffix: str) -> None:
    suite = Suite("./", {"Packages": index(stanza())}, served=[suffix])
    reader.distributions = ("./",)
    up.files = suite.payload()
    reader.read()
    assert reader.names == {"Packages": ["hello"]}
    assert reader.read() is None
    suite.indexes["Packages"] = index(stanza(), stanza("world"))
    up.files = suite.payload()
    reader.read()
    assert reader.names == {"Packages": ["hello", "world"]}


def test_a_flat_release_that_lists_nothing_does_not_hide_changes(reader: Reader, up: Upstream) -> None:
    suite = Suite("./", {"Packages": index(stanza())}, {"Date": ""}, hashes=())
    reader.distributions = ("./",)
    up.files = suite.files()
    reader.read()
    assert reader.read() is None
    suite.indexes["Packages"] = index(stanza("other"))
    up.files = suite.files()
    reader.read()
    assert reader.names == {"Packages": ["other"]}


def test_a_flat_repository_with_neither_release_nor_packages_is_an_error(reader: Reader, up: Upstream) -> None:
    reader.distributions = ("nothing/",)
    with pytest.raises(MissingError, match="neither a Release file nor a Packages file"):
        reader.read()


def test_a_layered_distribution_with_a_slash_at_its_end_is_explained(reader: Reader, up: Upstream) -> None:
    up.files = Suite(indexes=ALL).files()
    reader.distributions = ("stable/",)
    with pytest.raises(UsageError, match="'stable/' of upstream is not flat") as caught:
        reader.read()
    assert caught.value.hint == "use the distribution 'stable'"


def test_a_flat_distribution_without_a_slash_at_its_end_is_explained(reader: Reader, up: Upstream) -> None:
    up.files = Suite("nest/", {"Packages": index(stanza())}, FLAT_HEADER).files()
    reader.distributions = ("nest",)
    with pytest.raises(UsageError, match="'nest' of upstream is flat") as caught:
        reader.read()
    assert caught.value.hint == "use the distribution 'nest/'"


def test_a_release_with_components_is_not_read_as_flat(reader: Reader, up: Upstream) -> None:
    up.files = Suite(indexes=ALL).files()
    reader.distributions = ("dists/stable/",)
    with pytest.raises(UsageError, match=r"is not flat: it has components \(main, contrib\)") as caught:
        reader.read()
    assert caught.value.hint == "use the distribution 'stable'"


def test_a_flat_release_below_dists_is_not_read_as_layered(reader: Reader, up: Upstream) -> None:
    up.files = Suite("dists/stable/", {"Packages": index(stanza())}, FLAT_HEADER).files()
    with pytest.raises(UsageError, match="'stable' of upstream is flat") as caught:
        reader.read()
    assert caught.value.hint == "use the distribution 'dists/stable/'"


# --------------------------------------------------------------------------------------------- hostile content


@pytest.mark.parametrize(
    "bad",
    [
        stanza(Package="../../etc"),
        stanza(Package="a\x1b[31m"),
        stanza(Package=""),
        stanza(Version="1 2"),
        stanza(Version="1/../2"),
        stanza(Filename="../../etc/passwd"),
        stanza(Filename="/etc/passwd"),
        stanza(Filename="pool/a\\b.deb"),
        stanza(SHA256="xyz"),
        stanza(Size="lots"),
        stanza(Architecture="<b>"),
        b"garbage without any field\n",
    ],
)
def test_a_hostile_entry_is_an_error_that_names_index_and_entry(reader: Reader, up: Upstream, bad: bytes) -> None:
    up.files = Suite(indexes={"main/binary-amd64/Packages": index(stanza(), bad)}).files()
    with pytest.raises(IndexFormatError, match="dists/stable/main/binary-amd64/Packages has an entry") as caught:
        reader.read()
    assert str(caught.value).isprintable()
