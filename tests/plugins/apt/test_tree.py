"""Trees of APT repositories: what is in them, and that it is consistent."""

from __future__ import annotations

import datetime as dt
import gzip
import hashlib
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from entrepot.contracts import RenderedFile, Signer, TreeFile, TreeTools
from entrepot.errors import UsageError
from entrepot.models import Distribution, EntryRef, PackageInfo, Phase, PublishedEntry
from entrepot.publish.bodies import BytesBody
from entrepot.publish.pieces import IndexRenderer, PieceCache
from entrepot_plugins.apt.tree import AptTree
from support.golden import check_golden
from support.signers import StampSigner
from support.views import NOW, MemoryView, a_distribution, a_package, a_repository, content

GOLDEN = Path(__file__).parent / "golden"
Member = tuple[str, PackageInfo]


def view(distribution: Distribution, members: Iterable[Member] = (), **repository: Any) -> MemoryView:
    placed = [(component, info, AptTree().location(info, a_distribution(), component)) for component, info in members]
    return MemoryView(a_repository(**repository), distribution, placed)


def stored(version: MemoryView) -> Callable[..., Mapping[str, RenderedFile]]:
    """Renders without compressing, so that a tree can be read, and depends on no release of zlib or liblzma."""

    def render(
        refs: Iterable[EntryRef],
        entry: Callable[[PublishedEntry], bytes],
        compressions: Iterable[str],
        *,
        file_lists: bool,
    ) -> Mapping[str, RenderedFile]:
        plain = b"".join(map(entry, version.load([ref.entry_id for ref in refs])))
        texts = {"": plain, **{name: f"# in place of {name}\n".encode() + plain for name in compressions}}
        return {
            name: RenderedFile(name, len(text), hashlib.sha256(text).hexdigest(), BytesBody(text))
            for name, text in texts.items()
        }

    return render


def built(version: MemoryView, *, signer: Signer | None = None, now: dt.datetime = NOW) -> dict[str, TreeFile]:
    files = list(AptTree().build(version, TreeTools(stored(version), signer, now)))
    by_path = {file.path: file for file in files}
    assert len(by_path) == len(files)
    return by_path


def release(files: Mapping[str, TreeFile], name: str = "stable") -> dict[str, str]:
    """Fields of the Release file."""
    text = content(files[f"dists/{name}/Release"]).decode()
    return dict(line.split(": ", 1) for line in text.splitlines() if ": " in line)


def table(files: Mapping[str, TreeFile], name: str = "stable") -> dict[str, tuple[int, str]]:
    """Size and digest by path, as the Release file lists them."""
    lines = content(files[f"dists/{name}/Release"]).decode().partition("SHA256:\n")[2].splitlines()
    return {path: (int(size), digest) for digest, size, path in map(str.split, lines)}


def every_kind() -> list[Member]:
    return [
        ("main", a_package("hello", "2.10-3", source_name="hello")),
        ("main", a_package("hello", "2.10-3", "arm64", source_name="hello")),
        ("main", a_package("hello-doc", "2.10-3", "all", source_name="hello")),
        ("main", a_package("libhello1", "1:2.10-3", source_name="libhello")),
        ("main", a_package("hello-udeb", "2.10-3", kind="udeb", source_name="hello")),
        ("main", a_package("hello", "2.10-3", "source", kind="source")),
        ("contrib", a_package("extra", "1+b~1")),
    ]


def test_a_whole_tree_is_as_it_was() -> None:
    """Golden: two components, two architectures, arch:all, udebs and sources, signed, with the repository's front."""
    distribution = a_distribution(
        components=("main", "contrib"), compressions=("gz",), options={"description": "All kinds", "suite": "latest"}
    )
    version = view(distribution, every_kind())
    tools = TreeTools(stored(version), StampSigner(), NOW)
    files = [*AptTree().build(version, tools), *AptTree().front(version.repository, [distribution], tools)]
    check_golden(GOLDEN / "every-kind", {file.path: content(file) for file in files})


def render_for_real(folder: Path, members: Iterable[Member]) -> dict[str, bytes]:
    version = view(a_distribution(components=("main", "contrib")), members)
    render = IndexRenderer(PieceCache(folder), version.load, salt="apt 1")
    return {file.path: content(file) for file in AptTree().build(version, TreeTools(render, StampSigner(), NOW))}


@given(st.permutations(every_kind()))
@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_same_packages_give_the_same_bytes_in_whatever_order_they_come(
    tmp_path_factory: pytest.TempPathFactory, members: list[Member]
) -> None:
    first, second = (render_for_real(tmp_path_factory.mktemp("cache"), some) for some in (every_kind(), members))
    assert first == second


def test_release_lists_every_index_with_the_digest_that_it_has() -> None:
    files = built(view(a_distribution(components=("main", "contrib")), every_kind()))
    indexes = {path: file for path, file in files.items() if file.phase == Phase.INDEX}
    listed = table(files)
    assert {path.removeprefix("dists/stable/") for path in indexes} == {path for path in listed if "." in path}
    for path, file in indexes.items():
        assert listed[path.removeprefix("dists/stable/")] == (file.size, file.sha256)
        assert content(file) == content(files[str(file.copy_of)])
    assert list(listed) == sorted(listed)


def test_plain_indexes_are_listed_and_not_written() -> None:
    files = built(view(a_distribution(), [("main", a_package())]))
    size, digest = table(files)["main/binary-amd64/Packages"]
    plain = content(files["dists/stable/main/binary-amd64/Packages.gz"]).partition(b"\n")[2]
    assert (len(plain), hashlib.sha256(plain).hexdigest()) == (size, digest)
    assert "dists/stable/main/binary-amd64/Packages" not in files


def test_a_copy_comes_after_what_it_is_a_copy_of() -> None:
    files = built(view(a_distribution(), every_kind()), signer=StampSigner())
    copies = [file for file in files.values() if file.copy_of is not None]
    assert copies
    for file in copies:
        original = files[str(file.copy_of)]
        assert original.phase < file.phase
        assert original.path.endswith(f"/by-hash/SHA256/{file.sha256}")


def test_what_a_client_reads_first_is_written_last() -> None:
    files = built(view(a_distribution()), signer=StampSigner())
    phases = {name: files[f"dists/stable/{name}"].phase for name in ("Release", "Release.gpg", "InRelease")}
    assert phases == {"Release": Phase.SIGNATURE, "Release.gpg": Phase.SIGNATURE, "InRelease": Phase.ENTRY}
    assert [path for path, file in files.items() if file.phase == Phase.ENTRY] == ["dists/stable/InRelease"]


def test_without_a_signer_there_is_a_release_alone_and_it_is_written_last() -> None:
    files = built(view(a_distribution()))
    assert files["dists/stable/Release"].phase == Phase.ENTRY
    assert not {"dists/stable/InRelease", "dists/stable/Release.gpg"} & set(files)


@pytest.mark.parametrize(
    ("declared", "present", "expected"),
    [
        ((), (), "all"),
        ((), ("all",), "all"),
        ((), ("amd64",), "amd64"),
        ((), ("i386", "all", "amd64"), "amd64 i386"),
        (("arm64", "amd64"), (), "amd64 arm64"),
        (("amd64",), ("all", "riscv64"), "amd64"),
        (("amd64", "all"), ("all",), "amd64"),
        (("all",), ("amd64", "all"), "all"),
        (("source",), ("amd64",), "amd64"),
    ],
)
def test_architectures_are_those_declared_or_else_those_there(
    declared: tuple[str, ...], present: tuple[str, ...], expected: str
) -> None:
    members = [("main", a_package(architecture=architecture)) for architecture in present]
    files = built(view(a_distribution(architectures=declared, compressions=("gz",)), members))
    assert release(files)["Architectures"] == expected
    folders = {path.split("/")[3] for path in files if path.endswith("/Packages.gz")}
    assert folders == {f"binary-{architecture}" for architecture in expected.split()}


def test_packages_for_all_architectures_are_in_the_index_of_each() -> None:
    members = [("main", a_package("a", architecture="all")), ("main", a_package("b")), ("main", a_package("c"))]
    files = built(view(a_distribution(architectures=("amd64", "arm64")), members))
    packages = {
        architecture: content(files[f"dists/stable/main/binary-{architecture}/Packages.gz"]).count(b"Package: ")
        for architecture in ("amd64", "arm64")
    }
    assert packages == {"amd64": 3, "arm64": 1}


def test_every_declared_component_has_its_indexes_even_if_empty(tmp_path: Path) -> None:
    version = view(a_distribution(components=("main", "contrib"), architectures=("amd64", "source")))
    render = IndexRenderer(PieceCache(tmp_path), version.load, salt="apt 1")
    files = {file.path: file for file in AptTree().build(version, TreeTools(render, None, NOW))}
    for name in ("main/binary-amd64/Packages", "contrib/binary-amd64/Packages", "main/source/Sources"):
        assert gzip.decompress(content(files[f"dists/stable/{name}.gz"])) == b""
        assert table(files)[name] == (0, hashlib.sha256(b"").hexdigest())


def test_a_component_that_only_packages_have_is_there_too() -> None:
    files = built(view(a_distribution(), [("non-free", a_package())]))
    assert release(files)["Components"] == "main non-free"


def test_stanzas_say_where_the_files_are() -> None:
    files = built(view(a_distribution(), every_kind()))
    binary = content(files["dists/stable/main/binary-amd64/Packages.gz"]).decode()
    assert "\nFilename: pool/main/h/hello/hello_2.10-3_amd64.deb\n\n" in binary
    assert "\nFilename: pool/main/libh/libhello/libhello1_1:2.10-3_amd64.deb\n\n" in binary
    assert "udeb" not in binary
    assert "\nDirectory: pool/main/h/hello\n\n" in content(files["dists/stable/main/source/Sources.gz"]).decode()
    udebs = content(files["dists/stable/main/debian-installer/binary-amd64/Packages.gz"]).decode()
    assert "\nFilename: pool/main/h/hello/hello-udeb_2.10-3_amd64.udeb\n\n" in udebs


def test_a_kind_of_package_that_apt_does_not_know_is_refused() -> None:
    with pytest.raises(UsageError, match="no index for packages of the kind flatpak"):
        built(view(a_distribution(), [("main", a_package(kind="flatpak"))]))


def test_fields_of_the_release_come_from_repository_and_distribution() -> None:
    options = {
        "suite": "testing",
        "codename": "sid",
        "version": "13.1",
        "description": "Things",
        "not_automatic": True,
        "but_automatic_upgrades": True,
        "valid_days": 10,
    }
    fields = release(built(view(a_distribution(options=options), origin="Org", label="Lab")))
    assert fields == {
        "Origin": "Org",
        "Label": "Lab",
        "Suite": "testing",
        "Version": "13.1",
        "Codename": "sid",
        "Date": "Tue, 03 Feb 2026 04:05:06 UTC",
        "Valid-Until": "Fri, 13 Feb 2026 04:05:06 UTC",
        "NotAutomatic": "yes",
        "ButAutomaticUpgrades": "yes",
        "Acquire-By-Hash": "yes",
        "Architectures": "all",
        "Components": "main",
        "Description": "Things",
    }


def test_without_options_suite_and_codename_are_the_name_and_nothing_runs_out() -> None:
    fields = release(built(view(a_distribution("jammy"))), "jammy")
    assert fields["Suite"] == fields["Codename"] == "jammy"
    assert not {"Valid-Until", "NotAutomatic", "ButAutomaticUpgrades", "Version", "Description"} & set(fields)


@pytest.mark.parametrize("zone", [dt.UTC, dt.timezone(dt.timedelta(hours=-5))])
def test_the_date_is_in_utc_whatever_the_clock_says(zone: dt.tzinfo) -> None:
    files = built(view(a_distribution()), now=NOW.astimezone(zone))
    assert release(files)["Date"] == "Tue, 03 Feb 2026 04:05:06 UTC"


@pytest.mark.parametrize("value", ["a\nOrigin: Debian", "a\x1b[1m", "a\u2028b"])
@pytest.mark.parametrize("option", ["suite", "codename", "version", "description"])
def test_an_option_that_is_not_one_line_is_refused(option: str, value: str) -> None:
    with pytest.raises(UsageError, match=f"option {option} of example/stable"):
        built(view(a_distribution(options={option: value})))


@pytest.mark.parametrize("value", [-1, "ten", 40_000])
def test_a_validity_that_is_no_number_of_days_is_refused(value: int | str) -> None:
    with pytest.raises(UsageError, match="not a number of days"):
        built(view(a_distribution(options={"valid_days": value})))


@pytest.mark.parametrize(("days", "age", "expired"), [(0, 1000, False), (10, 4, False), (10, 5, True), (10, 30, True)])
def test_a_publication_is_renewed_when_half_of_its_validity_is_over(days: int, age: int, *, expired: bool) -> None:
    distribution = a_distribution(options={"valid_days": days})
    assert AptTree().expired(distribution, NOW - dt.timedelta(days=age), NOW) is expired


@pytest.mark.parametrize(
    ("distribution", "component", "folder"),
    [
        ("stable", "main", "main"),
        ("stable/updates", "main", "main"),
        ("stable/updates", "updates/main", "main"),
        ("a/b/updates", "updates/main", "main"),
        ("stable", "updates/main", "updates/main"),
        ("stable-updates", "updates/main", "updates/main"),
    ],
)
def test_the_folder_of_a_component_is_where_clients_look(distribution: str, component: str, folder: str) -> None:
    files = built(view(a_distribution(distribution, components=(component,)), [(component, a_package())]))
    assert f"dists/{distribution}/{folder}/binary-amd64/Packages.gz" in files
    assert f"{folder}/binary-amd64/Packages.gz" in table(files, distribution)
    assert release(files, distribution)["Components"] == component


def test_components_that_would_share_a_folder_are_refused() -> None:
    with pytest.raises(UsageError, match="share a folder"):
        built(view(a_distribution("stable/updates", components=("main", "updates/main"))))


def test_content_types_say_what_a_file_is() -> None:
    compressions = ("gz", "xz", "zst")
    files = built(view(a_distribution(compressions=compressions)), signer=StampSigner())
    types = {path.rpartition("/")[2]: file.content_type for path, file in files.items() if "by-hash" not in path}
    assert types == {
        "Packages.gz": "application/gzip",
        "Packages.xz": "application/x-xz",
        "Packages.zst": "application/zstd",
        "Release": "text/plain; charset=utf-8",
        "Release.gpg": "application/pgp-signature",
        "InRelease": "text/plain; charset=utf-8",
    }


def test_another_clock_changes_only_what_is_dated() -> None:
    version = view(a_distribution(), every_kind())
    now, later = (
        {path: file.sha256 for path, file in built(version, signer=StampSigner(), now=time).items()}
        for time in (NOW, NOW + dt.timedelta(hours=1))
    )
    changed = {path for path, _ in set(now.items()) ^ set(later.items())}
    assert changed == {f"dists/stable/{name}" for name in ("Release", "Release.gpg", "InRelease")}
