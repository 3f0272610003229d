"""Bundles from one workspace to another: what is carried, what is believed, what follows from it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from entrepot.bundles.manifest import MANIFEST, SIGNATURE
from entrepot.errors import (
    BatchError,
    BundleError,
    ConflictError,
    EntrepotError,
    NotFoundError,
    TrustError,
    UsageError,
)
from entrepot.progress import ProgressEvent
from entrepot.services import (
    advisories,
    bundle_applying,
    bundle_making,
    bundle_reading,
    mirroring,
    reviews,
    sources,
)
from entrepot.services.bundle_applying import Applied, ApplyRequest
from entrepot.services.bundle_making import MakeRequest
from entrepot.services.selecting import MirrorRequest
from support.advisories import osv, package, write_zip
from support.apt_repository import Key
from support.bundles import altered, contents, mirrored, packed, receive, send
from support.debs import make_deb, make_source
from support.workspaces import Depot

FEED = "debian"


@dataclass
class Sending:
    """A sender with two bundles of two versions, the second since the first, and its keys as a file."""

    depot: Depot
    folder: Path
    first: Path
    second: Path
    keyring: Path


@pytest.fixture(scope="module")
def sending(tmp_path_factory: pytest.TempPathFactory, keys: Callable[[], Key]) -> Iterator[Sending]:
    folder = tmp_path_factory.mktemp("sending")
    key = keys()
    depot = Depot(folder / "depot", key)
    depot.distribute("stable", components=("main", "contrib"))
    depot.upload(make_deb(folder, "hello"), *make_source(folder, "hello"), make_deb(folder, "other"))
    records = [osv(f"CVE-2026-{number}", package("Debian:12", "hello", fixed="2.0-1")) for number in (1, 2)]
    data = write_zip(folder / "osv.zip", records)
    advisories.add_feed(depot.workspace, FEED, str(data), format_name="osv")
    first = send(depot, folder / "first", feeds=None)
    depot.clock.advance(days=1)
    depot.upload(make_deb(folder, "hello", "2.0-1"), component="contrib")
    records.append(osv("CVE-2026-3", package("Debian:12", "other")))
    write_zip(data, records)
    advisories.update_feed(depot.workspace, FEED)
    second = send(depot, folder / "second", feeds=None, since=first)
    keyring = folder / "keys.asc"
    keyring.write_bytes(key.public)
    yield Sending(depot, folder, first, second, keyring)
    depot.close()


@pytest.fixture
def receiver(tmp_path: Path) -> Iterator[Depot]:
    depot = Depot(tmp_path / "receiver")
    depot.distribute("prod")
    yield depot
    depot.close()


@pytest.fixture(scope="module")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Depot]:
    """A receiver into which nothing ever comes."""
    depot = Depot(tmp_path_factory.mktemp("stranger") / "depot")
    depot.distribute("prod")
    yield depot
    depot.close()


@pytest.fixture(scope="module")
def settled(tmp_path_factory: pytest.TempPathFactory, sending: Sending) -> Iterator[Depot]:
    """A receiver into which the first bundle came."""
    depot = Depot(tmp_path_factory.mktemp("settled") / "depot")
    depot.distribute("prod")
    receive(depot, sending.first, sending.keyring)
    yield depot
    depot.close()


def held(depot: Depot, name: str = "prod") -> list[str]:
    distribution = depot.workspace.catalog.repositories.distribution(f"example/{name}")
    versions = depot.workspace.catalog.versions
    return [
        f"{m.name}:{m.architecture}={m.version}"
        for m in versions.members(distribution, versions.latest(distribution).number)
    ]


def untouched(depot: Depot) -> bool:
    """Whether nothing came in and nothing is known of any bundle."""
    catalog = depot.workspace.catalog
    return not held(depot) and not catalog.sources.list() and not catalog.advisories.list()


# -------------------------------------------------------------------------------------------------------- the way


def test_what_one_side_has_the_other_has_afterwards(sending: Sending, receiver: Depot) -> None:
    applied = receive(receiver, sending.first, sending.keyring)
    assert held(receiver) == ["hello:amd64=1.0-1", "hello:source=1.0-1", "other:amd64=1.0-1"]
    assert {(r.package, r.status, r.pipeline["gpg"]) for r in applied.results} == {
        ("hello", "published", "signed_trusted"),
        ("other", "published", "signed_trusted"),
    }
    assert mirrored(applied).publication
    tree = receiver.tree / "pool/main/h/hello"
    ours = sorted(path.name for path in tree.iterdir())
    assert ours == ["hello_1.0-1.debian.tar.xz", "hello_1.0-1.dsc", "hello_1.0-1_amd64.deb", "hello_1.0.orig.tar.gz"]
    assert (tree / "hello_1.0-1_amd64.deb").read_bytes() == (sending.folder / "hello_1.0-1_amd64.deb").read_bytes()
    (feed,) = advisories.list_feeds(receiver.workspace)
    assert (feed.feed.name, feed.feed.location, feed.feed.records) == (FEED, "bundle:example-stable", 2)
    lookup = receiver.workspace.catalog.lookup()
    key = receiver.workspace.format("apt").versions.key("1.0-1")
    assert [hit.name for hit in lookup.affecting(["Debian:12"], "hello", key)] == ["CVE-2026-1", "CVE-2026-2"]
    lookup.close()


def test_an_incremental_bundle_has_what_is_new_and_goes_on_from_the_one_before(
    sending: Sending, receiver: Depot
) -> None:
    assert sorted(contents(sending.second)) == sorted(
        [MANIFEST, SIGNATURE, "rows.jsonl", f"advisories/{FEED}.jsonl", *_new_file(sending)]
    )
    with pytest.raises(NotFoundError, match=r"one of 2026-03-01T12:00:00Z .* 4 missing: hello"):
        receive(receiver, sending.second, sending.keyring)
    assert untouched(receiver)
    receive(receiver, sending.first, sending.keyring)
    applied = receive(receiver, sending.second, None)
    assert [(r.package, r.version, r.status) for r in applied.results] == [("hello", "2.0-1", "published")]
    assert applied.feeds[FEED].added == 1
    assert held(receiver) == held(sending.depot, "stable")
    again = receive(receiver, sending.second, None)
    assert mirrored(again).version is None
    assert not again.results
    with pytest.raises(TrustError, match=r"of 2026-03-01T12:00:00Z, and that of 2026-03-02T12:00:00Z was applied"):
        receive(receiver, sending.first, None)
    assert mirrored(receive(receiver, sending.first, None, older=True)).version is None


def test_what_is_applied_while_another_bundle_is_read_is_not_undone_by_that(sending: Sending, receiver: Depot) -> None:
    def overtaken(by: Path) -> None:
        waiting = [by]

        def meanwhile(event: ProgressEvent) -> None:
            if event.code == "bundle.read" and waiting:
                with closing(receiver.opened()) as another:
                    bundle_applying.apply(another, waiting.pop(), request)

        bundle_applying.apply(receiver.workspace, sending.first, request, meanwhile)

    request = ApplyRequest("example/prod", keyring=sending.keyring, publish=False)
    with pytest.raises(ConflictError, match="another command made or changed the source example-stable"):
        overtaken(by=sending.first)
    with pytest.raises(TrustError, match="was applied before it"):
        overtaken(by=sending.second)
    assert held(receiver) == held(sending.depot, "stable")


def _new_file(sending: Sending) -> list[str]:
    (name,) = (name for name in contents(sending.second) if name.startswith("files/"))
    assert contents(sending.second)[name] == (sending.folder / "hello_2.0-1_amd64.deb").read_bytes()
    return [name]


def test_the_same_content_is_the_same_bytes(sending: Sending, tmp_path: Path) -> None:
    again = send(sending.depot, tmp_path / "again", feeds=None, since=sending.first)
    assert again.read_bytes() == sending.second.read_bytes()


def test_a_manifest_alone_will_do_for_the_next_bundle(sending: Sending, tmp_path: Path) -> None:
    manifest = tmp_path / "manifest.json"
    manifest.write_bytes(bundle_reading.show(sending.depot.workspace, sending.first).data)
    made = send(sending.depot, tmp_path / "again", feeds=None, since=manifest)
    assert made.read_bytes() == sending.second.read_bytes()


def test_pieces_are_applied_like_a_whole_and_a_bad_one_is_named(
    sending: Sending, receiver: Depot, tmp_path: Path
) -> None:
    noise = bytes(range(256)) * 300
    sending.depot.distribute("large")
    sending.depot.upload(make_deb(tmp_path, "large", files={"usr/share/noise": noise}, compression=""), to="large")
    send(sending.depot, tmp_path / "large", "example/large", chunk_size=1 << 16)
    first = tmp_path / "large.001"
    assert first.stat().st_size == 1 << 16
    bundle_reading.verify(receiver.workspace, first, sending.keyring)
    good = (tmp_path / "large.002").read_bytes()
    (tmp_path / "large.002").write_bytes(good[:-1] + b"!")
    with pytest.raises(BatchError, match="1 pieces") as caught:
        bundle_reading.verify(receiver.workspace, first, sending.keyring)
    assert caught.value.failures[0][0].endswith("large.002")
    with pytest.raises(BundleError, match=r"large\.002 is damaged"):
        receive(receiver, first, sending.keyring)
    assert untouched(receiver)
    (tmp_path / "large.002").write_bytes(good)
    assert [r.status for r in receive(receiver, tmp_path / "large", sending.keyring).results] == ["published"]


@pytest.mark.parametrize(
    ("chosen", "expected"),
    [
        ({"include": ["hello"]}, ["hello:amd64=1.0-1", "hello:amd64=2.0-1", "hello:source=1.0-1"]),
        ({"include": ["hello:amd64=2.0-1"]}, ["hello:amd64=2.0-1"]),
        ({"where": "component = contrib or kind = source"}, ["hello:amd64=2.0-1", "hello:source=1.0-1"]),
        ({"where": "latest(name = hello and arch = amd64)"}, ["hello:amd64=2.0-1"]),
        ({"where": "field:Maintainer = *example* and size > 1 and not hello"}, ["other:amd64=1.0-1"]),
        ({"exclude": ["hello"]}, ["other:amd64=1.0-1"]),
        ({"version": 1, "include": ["*"]}, ["hello:amd64=1.0-1", "hello:source=1.0-1", "other:amd64=1.0-1"]),
    ],
    ids=str,
)
def test_what_goes_in_is_chosen_by_a_query(sending: Sending, chosen: Mapping[str, Any], expected: list[str]) -> None:
    made = bundle_making.plan(sending.depot.workspace, Path("nowhere"), MakeRequest("example/stable", **chosen))
    assert sorted(str(item) for item in made.head.manifest.packages) == expected


def test_what_is_needed_comes_along_or_is_told_to_be_nowhere(sending: Sending, tmp_path: Path) -> None:
    sending.depot.distribute("needy", architectures=("amd64",))
    needy = make_deb(tmp_path, "needy", fields={"Depends": "wanted"})
    lost = make_deb(tmp_path, "lost", fields={"Depends": "elsewhere"})
    sending.depot.upload(needy, lost, make_deb(tmp_path, "wanted"), make_deb(tmp_path, "unwanted"), to="needy")
    request = MakeRequest("example/needy", include=["needy"], dependencies=True)
    made = bundle_making.plan(sending.depot.workspace, Path("nowhere"), request)
    assert [item.name for item in made.head.manifest.packages] == ["needy", "wanted"]
    with pytest.raises(UsageError, match=r"neither in example/needy nor in its base sources: .*elsewhere"):
        bundle_making.plan(sending.depot.workspace, Path("nowhere"), replace(request, include=["lost"]))


def test_data_alone_comes_by_bundles_of_its_own_and_only_what_is_new_of_it(sending: Sending, receiver: Depot) -> None:
    def data(name: str, **more: Any) -> Path:
        return send(sending.depot, sending.folder / name, packages=False, **more)

    def apply(bundle: Path) -> Applied:
        return bundle_applying.apply(receiver.workspace, bundle, ApplyRequest(keyring=sending.keyring))

    first = data("data", feeds=None)
    assert list(contents(first)) == [MANIFEST, SIGNATURE, f"advisories/{FEED}.jsonl"]
    applied = apply(first)
    assert (applied.source, applied.mirror, applied.feeds[FEED].added) == ("example-stable-data", None, 3)
    assert (applied.as_json()["status"], apply(first).as_json()["status"]) == ("changed", "unchanged")
    assert list(contents(data("nothing-new", feeds=None, since=first))) == [MANIFEST, SIGNATURE]
    assert held(receiver) == []
    with pytest.raises(UsageError, match="has packages"):
        apply(sending.first)
    with pytest.raises(ConflictError, match=r"which did not come with example-stable$"):
        receive(receiver, sending.first, sending.keyring)
    advisories.remove_feed(receiver.workspace, FEED)
    receive(receiver, sending.first, sending.keyring, publish=False)
    with pytest.raises(ConflictError, match="which would take them away"):
        receive(receiver, first, sending.keyring, source="example-stable")
    for wrong in ({"include": ["hello"]}, {"version": 1}, {"feeds": ()}):
        with pytest.raises(UsageError):
            data("wrong", **{"feeds": None, **wrong})


# ----------------------------------------------------------------------------------------------- what is believed


def test_the_receivers_policy_decides_and_what_the_sender_said_is_kept(sending: Sending, receiver: Depot) -> None:
    receiver.configure("[policies.soft]", 'deny = [{ package = "other", reason = "not here" }]')
    applied = receive(receiver, sending.first, sending.keyring, publish=False)
    assert mirrored(applied).publication is None
    refused = next(result for result in applied.results if result.package == "other")
    assert refused.status == "rejected"
    assert held(receiver) == ["hello:amd64=1.0-1", "hello:source=1.0-1"]
    assert refused.import_id
    view = reviews.show_import(receiver.workspace, refused.import_id).as_json()
    told = {item["scanner"]: item["status"] for item in view["told"]}
    assert told["format"] == "pass"
    assert {item["scanner"] for item in view["verdicts"]} >= {"format", "signature"}
    (again,) = receive(receiver, sending.first, None).results
    assert (again.package, again.status) == ("other", "rejected")


def test_a_dry_run_checks_everything_and_keeps_nothing(sending: Sending, stranger: Depot) -> None:
    request = ApplyRequest("example/prod", keyring=sending.keyring)
    planned = bundle_applying.plan(stranger.workspace, sending.first, request)
    assert [row["package"] for row in mirrored(planned).changes] == ["hello", "hello", "other"]
    assert planned.feeds[FEED].added == 2
    assert untouched(stranger)
    assert not list(stranger.workspace.store.files())
    assert not list((stranger.home / "keyrings").iterdir())


def test_nobody_is_believed_without_keys(sending: Sending, receiver: Depot, tmp_path: Path, keys: Any) -> None:
    with pytest.raises(UsageError, match="there are no keys"):
        receive(receiver, sending.first, None)
    other = tmp_path / "other.asc"
    other.write_bytes(keys().public)
    with pytest.raises(TrustError, match="signed by keys that are not in"):
        receive(receiver, sending.first, other)
    unsigned = send(sending.depot, tmp_path / "unsigned", sign=False)
    with pytest.raises(TrustError, match="is not signed"):
        receive(receiver, unsigned, sending.keyring)
    assert untouched(receiver)
    applied = receive(receiver, unsigned, None, trust=True)
    assert {result.pipeline["gpg"] for result in applied.results} == {"unsigned_pass"}
    view = sources.show_source(receiver.workspace, "example-stable")
    assert (view.source.url, view.source.verify) == ("bundle:example-stable", False)


def test_the_keys_of_a_source_are_changed_on_purpose_only(
    sending: Sending, receiver: Depot, tmp_path: Path, keys: Any
) -> None:
    receive(receiver, sending.first, sending.keyring)
    other = tmp_path / "other.asc"
    other.write_bytes(keys().public)
    with pytest.raises(ConflictError, match="has other keys than"):
        receive(receiver, sending.first, other)
    sources.set_source(receiver.workspace, "example-stable", sources.Change(keyring=other.read_bytes()))
    with pytest.raises(TrustError, match="signed by keys that are not in"):
        receive(receiver, sending.first, None)


def test_show_tells_whose_signature_it_says_it_is_and_with_keys_whose_it_is(sending: Sending, stranger: Depot) -> None:
    fingerprint = sending.depot.key.fingerprint if sending.depot.key else ""
    shown = bundle_reading.show(stranger.workspace, sending.first)
    assert (shown.signed_by, shown.claims) == (None, [fingerprint])
    assert bundle_reading.show(stranger.workspace, sending.first, sending.keyring).signed_by == fingerprint


def test_a_source_of_bundles_is_not_synced_and_does_not_hold_up_the_others(settled: Depot) -> None:
    with pytest.raises(UsageError, match="comes in bundles"):
        sources.sync_source(settled.workspace, "example-stable")
    with pytest.raises(UsageError, match="comes in bundles"):
        advisories.update_feed(settled.workspace, FEED)
    assert sources.sync_sources(settled.workspace, []) == []
    assert advisories.update_feeds(settled.workspace, []) == []
    assert sources.syncable(settled.workspace) == []


def test_what_came_in_a_bundle_can_go_to_another_distribution_later(settled: Depot) -> None:
    settled.distribute("more")
    request = MirrorRequest("example-stable", "example/more", include=["other"])
    assert mirroring.mirror(settled.workspace, request).added == 1
    assert settled.bring("hello", to="more", source="example-stable") == 2


def test_what_is_not_listed_any_more_goes_if_it_is_asked_for(sending: Sending, receiver: Depot, tmp_path: Path) -> None:
    receive(receiver, sending.first, sending.keyring)
    fewer = send(sending.depot, tmp_path / "fewer", include=["other"])
    assert mirrored(receive(receiver, fewer, None)).removed == 0
    assert mirrored(receive(receiver, fewer, None, exact=True)).removed == 2
    assert held(receiver) == ["other:amd64=1.0-1"]


def test_names_that_are_taken_by_something_else_are_not_taken_over(
    sending: Sending, receiver: Depot, tmp_path: Path
) -> None:
    data = write_zip(tmp_path / "own.zip", [osv("CVE-2020-1", package("Debian:12", "hello"))])
    advisories.add_feed(receiver.workspace, FEED, str(data), format_name="osv")
    with pytest.raises(ConflictError, match="which did not come with example-stable"):
        receive(receiver, sending.first, sending.keyring)
    assert held(receiver) == []


# --------------------------------------------------------------------------------------------- what is wrong in it


def removed(key: str) -> Callable[[dict[str, Any]], object]:
    return lambda document: document.pop(key)


def changed(**values: Any) -> Callable[[dict[str, Any]], object]:
    return lambda document: document.update(values)


def unlike(package: dict[str, Any], **values: Any) -> dict[str, Any]:
    return {**package, "row": "0" * 32, **values}


HOSTILE: Mapping[str, tuple[str, Callable[[dict[str, Any]], object]]] = {
    "newer form": ("form 2, and this version", changed(entrepot_bundle=2)),
    "no form": ("no manifest of a bundle", removed("entrepot_bundle")),
    "unknown key": ("'surprise' is not known", changed(surprise=1)),
    "missing key": ("manifest.name is no str", removed("name")),
    "name upwards": (r"manifest.name is '../etc'", changed(name="../etc")),
    "number as text": ("manifest.version is no int", changed(version="1")),
    "package twice": ("twice among its packages", lambda d: d["packages"].append(d["packages"][0])),
    "file twice": ("twice among its payload", lambda d: d["payload"].append(d["payload"][0])),
    "member twice": ("twice among its members", lambda d: d["members"].append(d["members"][0])),
    "member upwards": ("nothing is known of its member", lambda d: d["members"][0].update(name="../../etc/passwd")),
    "scanner upwards": ("nothing is known of its member", lambda d: d["members"][0].update(name="scanners/../x")),
    "surplus file": ("no package has its file", lambda d: d["payload"][0].update(sha256="0" * 64)),
    "huge file": ("no package has its file", lambda d: d["payload"][0].update(size=1 << 50)),
    "other digest": ("is damaged", lambda d: d["members"][0].update(sha256="0" * 64)),
    "other size": ("instead of", lambda d: d["members"][0].update(size=7)),
    "row without text": ("lists what it does not carry", lambda d: d["packages"].append(unlike(d["packages"][0]))),
    "text without row": ("which the manifest does not list", lambda d: d["packages"][2].update(row="0" * 32)),
    "feed upwards": (r"feeds\[0\].name is", lambda d: d["feeds"][0].update(name="../x")),
    "package without file": ("has no file", lambda d: d["packages"].append(unlike(d["packages"][0], files=[]))),
}


@pytest.mark.parametrize(("message", "change"), HOSTILE.values(), ids=HOSTILE)
def test_a_manifest_that_does_not_fit_is_refused_whoever_signed_it(
    sending: Sending, stranger: Depot, tmp_path: Path, message: str, change: Callable[[dict[str, Any]], object]
) -> None:
    hostile = altered(sending.first, tmp_path / "hostile", sending.depot.workspace, change)
    with pytest.raises(BundleError, match=message):
        receive(stranger, hostile, sending.keyring)
    assert untouched(stranger)


@pytest.mark.parametrize(
    "line", [b"{", b"[]\n", b"{}\n", b"\xff\n", b'{"row":1,"text":"","verdicts":[]}\n', b"[" * 9999]
)
def test_rows_that_are_none_are_refused(sending: Sending, stranger: Depot, tmp_path: Path, line: bytes) -> None:
    rows = {"rows.jsonl": contents(sending.first)["rows.jsonl"] + line}
    hostile = altered(sending.first, tmp_path / "hostile", sending.depot.workspace, members=rows)
    with pytest.raises(BundleError, match=r"rows\.jsonl"):
        receive(stranger, hostile, sending.keyring)
    assert untouched(stranger)


def test_advisories_that_are_none_are_refused_and_nothing_came_in(
    sending: Sending, stranger: Depot, tmp_path: Path
) -> None:
    member = f"advisories/{FEED}.jsonl"
    lines = contents(sending.first)[member].splitlines(keepends=True)
    for old, new in ((b'"affected":[', b'"affected":[3,'), (b'"score":', b'"scores":'), (b'"url":""', b'"url":1')):
        hostile = altered(
            sending.first,
            tmp_path / "hostile",
            sending.depot.workspace,
            members={member: lines[0].replace(old, new) + lines[1]},
        )
        with pytest.raises(BundleError, match="has advisory that is none"):
            receive(stranger, hostile, sending.keyring)
        assert untouched(stranger)


def test_a_row_that_names_another_file_brings_nothing_else_in(
    sending: Sending, receiver: Depot, tmp_path: Path
) -> None:
    """The signed text of the index decides what is taken from the private store, whatever the list says beside it."""

    def swap(document: dict[str, Any]) -> None:
        one, _, other = document["packages"]
        one["files"], other["files"] = other["files"], one["files"]

    hostile = altered(sending.first, tmp_path / "hostile", sending.depot.workspace, swap)
    applied = receive(receiver, hostile, sending.keyring)
    assert {result.status for result in applied.results} == {"published"}
    path = receiver.tree / "pool/main/o/other/other_1.0-1_amd64.deb"
    assert path.read_bytes() == (sending.folder / "other_1.0-1_amd64.deb").read_bytes()


def test_a_bundle_with_a_byte_changed_anywhere_changes_nothing(
    sending: Sending, stranger: Depot, tmp_path: Path
) -> None:
    whole = sending.second.read_bytes()
    start = whole.index(b"-----BEGIN PGP SIGNATURE")
    signature = range(start, start + len(contents(sending.second)[SIGNATURE]))
    for place in [place for place in range(0, len(whole), 997) if place not in signature]:
        damaged = tmp_path / "damaged"
        damaged.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        with pytest.raises(EntrepotError):
            receive(stranger, damaged, sending.keyring)
    assert untouched(stranger)


def test_what_follows_the_end_or_is_missing_there_is_refused(sending: Sending, stranger: Depot, tmp_path: Path) -> None:
    whole = sending.first.read_bytes()
    for name, data in (("more", whole + b"\0"), ("less", whole[:-1]), ("half", whole[: len(whole) // 2])):
        path = tmp_path / name
        path.write_bytes(data)
        with pytest.raises(BundleError):
            receive(stranger, path, sending.keyring)
    found = contents(sending.first)
    extra = packed(tmp_path / "extra", {**found, "files/surprise": b"x"}, sending.depot.workspace)
    with pytest.raises(BundleError, match="something follows"):
        receive(stranger, extra, sending.keyring)
    assert untouched(stranger)


def test_a_bundle_is_not_written_over(sending: Sending) -> None:
    with pytest.raises(ConflictError, match="is there already"):
        send(sending.depot, sending.first)


def test_a_file_that_the_private_store_lost_is_not_carried_silently(
    sending: Sending, tmp_path: Path, receiver: Depot
) -> None:
    receiver.upload(make_deb(tmp_path, "gone"), to="prod")
    (info,) = receiver.workspace.store.files()
    receiver.workspace.store.remove(info.key.rpartition("/")[2])
    with pytest.raises(NotFoundError):
        bundle_making.make(receiver.workspace, tmp_path / "bundle", MakeRequest("example/prod", sign=False))
    assert [path.name for path in tmp_path.iterdir() if "bundle" in path.name] == []


def test_the_manifest_is_json_that_a_person_can_read(sending: Sending) -> None:
    document = json.loads(contents(sending.first)[MANIFEST])
    assert document["entrepot_bundle"] == 1
    assert [item["name"] for item in document["packages"]] == ["hello", "hello", "other"]
