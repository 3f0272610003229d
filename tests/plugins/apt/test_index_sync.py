"""Syncing an APT source: what is fetched when, and what is believed."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from entrepot.errors import DigestError, IndexFormatError, MissingError, TrustError
from entrepot.progress import ProgressEvent
from support.apt_repository import NOW, Key, Reader, Suite, index, key_maker, stanza
from support.upstream import Fault, Upstream

MAIN = "main/binary-amd64/Packages"
PART = f"dists/stable/{MAIN}"
IN_RELEASE = "/dists/stable/InRelease"


@pytest.fixture(scope="module")
def key() -> Iterator[Key]:
    with key_maker() as make:
        yield make("Archive <archive@example.org>")


@pytest.fixture
def up() -> Iterator[Upstream]:
    with Upstream() as upstream:
        yield upstream


@pytest.fixture
def reader(up: Upstream, tmp_path: Path, key: Key) -> Reader:
    return Reader(up, tmp_path, key=key)


def main_suite(*names: str, **changes: Any) -> Suite:
    return replace(Suite(indexes={MAIN: index(*map(stanza, names))}), **changes)


def test_a_first_read_hands_over_every_package_with_the_signer(reader: Reader, up: Upstream, key: Key) -> None:
    up.files = main_suite("hello", "nginx").files(key)
    update = reader.read()
    assert update is not None
    assert reader.names == {PART: ["hello", "nginx"]}
    assert [(part.component, part.architecture, part.kind, part.signed_by) for part in update.parts] == [
        ("main", "amd64", "binary", key.fingerprint)
    ]


def test_the_state_survives_json(reader: Reader, up: Upstream, key: Key) -> None:
    up.files = main_suite("hello").files(key)
    reader.read()
    reader.state = json.loads(json.dumps(reader.state))
    assert reader.read() is None


def test_an_unchanged_source_costs_one_conditional_request(reader: Reader, up: Upstream, key: Key) -> None:
    up.files = main_suite("hello").files(key)
    reader.read()
    up.forget()
    assert reader.read() is None
    assert [(request.path, request.status) for request in up.requests] == [(IN_RELEASE, 304)]


def test_a_server_without_validators_is_noticed_to_be_unchanged_by_content(
    reader: Reader, up: Upstream, key: Key
) -> None:
    up.files = main_suite("hello").files(key)
    up.fail(IN_RELEASE, Fault(no_validators=True))
    reader.read()
    up.forget()
    assert reader.read() is None
    assert [(request.path, request.status) for request in up.requests] == [(IN_RELEASE, 200)]


def test_only_the_indexes_that_changed_are_fetched(reader: Reader, up: Upstream, key: Key) -> None:
    contrib = "contrib/binary-amd64/Packages"
    suite = Suite(indexes={MAIN: index(stanza("hello")), contrib: index(stanza("extra"))})
    up.files = suite.files(key)
    reader.read()
    up.forget()
    suite.indexes[MAIN] = index(stanza("hello"), stanza("world"))
    up.files = suite.files(key)
    reader.read()
    assert reader.names == {PART: ["hello", "world"], f"dists/stable/{contrib}": ["extra"]}
    assert up.count(f"/{PART}.gz") == 1
    assert up.count(f"/dists/stable/{contrib}.gz") == 0


def test_a_release_that_was_only_signed_again_fetches_no_index(reader: Reader, up: Upstream, key: Key) -> None:
    suite = main_suite("hello")
    up.files = suite.files(key)
    reader.read()
    up.forget()
    up.files = replace(suite, header={"Date": "Sun, 01 Mar 2026 11:00:00 UTC"}).files(key)
    update = reader.read()
    assert update is not None
    assert reader.names == {PART: ["hello"]}
    assert up.count() == 1


def test_an_index_that_vanished_is_not_a_part_any_more(reader: Reader, up: Upstream, key: Key) -> None:
    suite = Suite(indexes={MAIN: index(stanza("hello")), "contrib/binary-amd64/Packages": index(stanza("extra"))})
    up.files = suite.files(key)
    reader.read()
    up.files = main_suite("hello").files(key)
    reader.read()
    assert reader.names == {PART: ["hello"]}


def test_force_reads_everything_again(reader: Reader, up: Upstream, key: Key) -> None:
    up.files = main_suite("hello").files(key)
    reader.read()
    up.forget()
    assert reader.read(force=True) is not None
    assert up.count(f"/{PART}.gz", status=200) == 1


@pytest.mark.parametrize(
    "change", [{"components": ("main",)}, {"options": {"sources": True}}, {"architectures": ("amd64",)}]
)
def test_another_option_of_the_source_is_a_change(
    reader: Reader, up: Upstream, key: Key, change: dict[str, Any]
) -> None:
    up.files = main_suite("hello").files(key)
    reader.read()
    assert replace(reader, **change).read() is not None


def test_a_part_that_the_catalog_lost_is_fetched_again(reader: Reader, up: Upstream, key: Key) -> None:
    up.files = main_suite("hello").files(key)
    reader.read()
    reader.known = {}
    assert reader.read() is not None
    assert reader.names == {PART: ["hello"]}


def test_of_several_distributions_the_unchanged_ones_keep_their_parts(reader: Reader, up: Upstream, key: Key) -> None:
    first, second = main_suite("hello"), main_suite("later", name="stable-updates")
    reader.distributions = ("stable", "stable-updates")
    up.files = first.files(key) | second.files(key)
    reader.read()
    up.forget()
    second.indexes[MAIN] = index(stanza("latest"))
    up.files = first.files(key) | second.files(key)
    update = reader.read()
    assert update is not None
    assert {part.signed_by for part in update.parts} == {key.fingerprint}
    assert reader.names == {PART: ["hello"], "dists/stable-updates/main/binary-amd64/Packages": ["latest"]}
    assert up.count(f"/{PART}.gz") == 0


# ------------------------------------------------------------------------------------------------------- trust


def test_release_with_release_gpg_is_read_where_there_is_no_inrelease(reader: Reader, up: Upstream, key: Key) -> None:
    up.files = main_suite("hello").files(key, detached=True)
    update = reader.read()
    assert update is not None
    assert update.parts[0].signed_by == key.fingerprint
    assert reader.read() is None


def test_inrelease_wins_and_release_is_not_even_asked_for(reader: Reader, up: Upstream, key: Key) -> None:
    up.files = main_suite("old").files(key, detached=True) | main_suite("new").files(key)
    reader.read()
    assert reader.names == {PART: ["new"]}
    assert up.count("/dists/stable/Release") == 0


def test_a_bad_inrelease_is_not_made_up_for_by_a_good_release(reader: Reader, up: Upstream, key: Key) -> None:
    suite = main_suite("hello")
    good = suite.files(key)
    up.files = suite.files(key, detached=True) | {
        IN_RELEASE: good[IN_RELEASE].replace(b"Origin: Test", b"Origin: Best")
    }
    with pytest.raises(TrustError, match="bad signature"):
        reader.read()


def test_a_release_without_a_signature_is_refused(reader: Reader, up: Upstream) -> None:
    up.files = main_suite("hello").files()
    with pytest.raises(TrustError, match=r"upstream \(stable\) is not signed"):
        reader.read()


def test_nothing_is_asked_of_signatures_where_the_source_is_not_verified(
    reader: Reader, up: Upstream, key: Key
) -> None:
    reader.key = None
    up.files = main_suite("hello").files(key)
    update = reader.read()
    assert update is not None
    assert update.parts[0].signed_by is None
    assert reader.names == {PART: ["hello"]}


def test_a_date_that_went_back_is_refused(reader: Reader, up: Upstream, key: Key) -> None:
    suite = main_suite("hello")
    up.files = suite.files(key)
    reader.read()
    up.files = replace(suite, header={"Date": "Sat, 28 Feb 2026 10:00:00 UTC"}).files(key)
    with pytest.raises(TrustError, match="went back in time: it is of 2026-02-28 10:00:00 UTC"):
        reader.read()
    reader.options = {"allow_stale": True}
    assert reader.read() is not None


def test_a_release_past_its_valid_until_is_refused(reader: Reader, up: Upstream, key: Key) -> None:
    up.files = main_suite("hello", header={"Valid-Until": "Sun, 01 Mar 2026 11:00:00 UTC"}).files(key)
    with pytest.raises(TrustError, match="was valid until 2026-03-01 11:00:00 UTC"):
        reader.read()
    reader.options = {"allow_stale": True}
    assert reader.read() is not None


def test_an_unchanged_release_that_has_become_too_old_is_refused(reader: Reader, up: Upstream, key: Key) -> None:
    up.files = main_suite("hello", header={"Valid-Until": "Sun, 08 Mar 2026 10:00:00 UTC"}).files(key)
    reader.read()
    reader.now = NOW + dt.timedelta(days=9)
    with pytest.raises(TrustError, match="valid until"):
        reader.read()


def test_another_keyring_has_the_signature_checked_again(reader: Reader, up: Upstream, key: Key) -> None:
    up.files = main_suite("hello").files(key)
    reader.read()
    with key_maker() as make:
        reader.key = make("Other <other@example.org>")
        with pytest.raises(TrustError, match=key.fingerprint[-16:]):
            reader.read()


def test_a_page_of_html_is_no_release(reader: Reader, up: Upstream) -> None:
    reader.key = None
    up.files = {IN_RELEASE: b"<html>Please log in</html>"}
    with pytest.raises(IndexFormatError, match="<html>"):
        reader.read()


def test_a_release_of_another_suite_is_pointed_out(reader: Reader, up: Upstream, key: Key) -> None:
    up.files = main_suite("hello", header={"Suite": "unstable", "Codename": "sid"}).files(key)
    update = reader.read()
    assert update is not None
    assert update.warnings == ["upstream: the Release file of 'stable' says that it is 'unstable / sid'"]


# ----------------------------------------------------------------------------------------------------- digests


@pytest.mark.parametrize("suffix", ["", ".gz", ".xz", ".bz2", ".lzma", ".zst"])
def test_every_compression_is_read(reader: Reader, up: Upstream, key: Key, suffix: str) -> None:
    up.files = main_suite("hello", "nginx", listed=[suffix], served=[suffix]).files(key)
    reader.read()
    assert reader.names == {PART: ["hello", "nginx"]}


def test_a_compression_that_the_server_lacks_is_made_up_for_by_the_next(reader: Reader, up: Upstream, key: Key) -> None:
    up.files = main_suite("hello", listed=["", ".gz", ".xz"], served=[".gz"]).files(key)
    reader.read()
    assert reader.names == {PART: ["hello"]}
    assert up.count(f"/{PART}.xz", status=404) == 1


def test_the_smaller_compression_is_fetched(reader: Reader, up: Upstream, key: Key) -> None:
    up.files = main_suite("hello", listed=["", ".gz", ".xz"], served=["", ".gz", ".xz"]).files(key)
    reader.read()
    assert [request.path for request in up.requests] == [IN_RELEASE, f"/{PART}.xz"]


def test_by_hash_is_asked_for_by_the_strongest_digest(reader: Reader, up: Upstream, key: Key) -> None:
    up.files = main_suite("hello", by_hash=True, hashes=["MD5Sum", "SHA256", "SHA512"]).files(key)
    reader.read()
    assert [request.path.rpartition("/")[0] for request in up.requests[1:]] == [
        "/dists/stable/main/binary-amd64/by-hash/SHA512"
    ]


def test_a_mirror_without_by_hash_is_read_by_plain_names(reader: Reader, up: Upstream, key: Key) -> None:
    files = main_suite("hello", by_hash=True).files(key)
    up.files = {path: content for path, content in files.items() if "by-hash" not in path}
    reader.read()
    assert reader.names == {PART: ["hello"]}


@pytest.mark.parametrize("hashes", [["MD5Sum"], ["SHA1", "MD5Sum"]])
def test_weak_digests_are_refused_unless_the_source_allows_them(
    reader: Reader, up: Upstream, key: Key, hashes: list[str]
) -> None:
    up.files = main_suite("hello", hashes=hashes).files(key)
    with pytest.raises(TrustError, match="only MD5 or SHA-1"):
        reader.read()
    reader.options = {"allow_weak": True}
    reader.read()
    assert reader.names == {PART: ["hello"]}


def test_an_index_that_never_matches_its_digest_is_an_error_after_some_tries(
    reader: Reader, up: Upstream, key: Key
) -> None:
    files = main_suite("hello").files(key)
    content = files[f"/{PART}.gz"]
    up.files = files | {f"/{PART}.gz": content[:-1] + bytes([content[-1] ^ 1])}
    with pytest.raises(DigestError):
        reader.read()
    assert up.count(IN_RELEASE) == 4


def test_an_upstream_that_changes_while_it_is_read_is_read_again(reader: Reader, up: Upstream, key: Key) -> None:
    old, new = main_suite("hello").files(key), main_suite("hello", "world").files(key)
    up.files = new
    up.fail(IN_RELEASE, Fault(times=1, content=old[IN_RELEASE]))
    reader.read()
    assert reader.names == {PART: ["hello", "world"]}


def test_an_index_whose_old_file_is_gone_already_is_read_again(reader: Reader, up: Upstream, key: Key) -> None:
    old = main_suite("hello", listed=[".xz"], served=[".xz"]).files(key)
    up.files = main_suite("world", listed=[".gz"], served=[".gz"]).files(key)
    up.fail(IN_RELEASE, Fault(times=1, content=old[IN_RELEASE]))
    reader.read()
    assert reader.names == {PART: ["world"]}


def test_a_plain_text_that_is_not_what_release_says_is_an_error(reader: Reader, up: Upstream, key: Key) -> None:
    suite = main_suite("hello")
    right = suite.release()
    plain = next(line for line in right.splitlines() if line.endswith(MAIN.encode()))
    wrong = right.replace(plain.split()[0], b"0" * 64)
    up.files = suite.payload() | {IN_RELEASE: key.clearsign(wrong)}
    with pytest.raises(DigestError, match="not what its Release file says when decompressed"):
        reader.read()


def test_a_decompression_bomb_stops_at_the_size_that_release_gives(reader: Reader, up: Upstream, key: Key) -> None:
    suite = main_suite("hello")
    bomb = Suite(indexes={MAIN: b"A" * 50_000_000})
    size = len(suite.indexes[MAIN])
    text = bomb.release().replace(b"50000000", str(size).encode())
    up.files = bomb.payload() | {IN_RELEASE: key.clearsign(text)}
    with pytest.raises(IndexFormatError, match=f"larger than the {size} bytes"):
        reader.read()


# ------------------------------------------------------------------------------------------------ missing files


def test_an_index_that_release_lists_and_nobody_serves_is_an_error(reader: Reader, up: Upstream, key: Key) -> None:
    contrib = "contrib/binary-amd64/Packages"
    suite = Suite(indexes={MAIN: index(stanza("hello")), contrib: index(stanza("extra"))})
    up.files = {path: content for path, content in suite.files(key).items() if "contrib" not in path}
    with pytest.raises(MissingError, match="lacks dists/stable/contrib/binary-amd64/Packages") as caught:
        reader.read()
    assert "--ignore-missing-indices" in caught.value.hint


def test_a_missing_index_can_be_ignored_and_is_looked_for_again(reader: Reader, up: Upstream, key: Key) -> None:
    contrib = "contrib/binary-amd64/Packages"
    files = Suite(indexes={MAIN: index(stanza("hello")), contrib: index(stanza("extra"))}).files(key)
    reader.options = {"ignore_missing_indices": True}
    up.files = {path: content for path, content in files.items() if "contrib" not in path}
    update = reader.read()
    assert update is not None
    assert len(update.warnings) == 1
    assert reader.names == {PART: ["hello"]}
    up.files = files
    reader.read()
    assert reader.names == {PART: ["hello"], f"dists/stable/{contrib}": ["extra"]}


def test_an_empty_index_needs_no_request(reader: Reader, up: Upstream, key: Key) -> None:
    up.files = Suite(indexes={MAIN: index(stanza("hello")), "contrib/binary-amd64/Packages": b""}).files(key)
    reader.read()
    assert reader.names == {PART: ["hello"], "dists/stable/contrib/binary-amd64/Packages": []}
    assert not [request for request in up.requests if "contrib" in request.path]


def test_a_server_that_fails_is_not_taken_for_one_that_lacks_files(reader: Reader, up: Upstream, key: Key) -> None:
    up.files = main_suite("hello").files(key)
    up.fail(IN_RELEASE, Fault(status=403))
    with pytest.raises(Exception, match="403") as caught:
        reader.read()
    assert not isinstance(caught.value, MissingError)


# ---------------------------------------------------------------------------------------------------- progress


def test_progress_counts_the_bytes_of_all_downloads(reader: Reader, up: Upstream, key: Key) -> None:
    events: list[ProgressEvent] = []
    reader.progress = events.append
    up.files = Suite(indexes={MAIN: index(stanza("hello")), "contrib/binary-amd64/Packages": index(stanza("b"))}).files(
        key
    )
    reader.read()
    last = {event.code: event for event in events}
    total = sum(len(content) for path, content in up.files.items() if path.endswith(".gz"))
    assert (last["sync.fetch"].state, last["sync.fetch"].done, last["sync.fetch"].unit) == ("completed", total, "bytes")
    assert last["sync.release"].state == "completed"
