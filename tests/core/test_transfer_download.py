"""Files to disk: checked, resumed, in place only when right."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from entrepot.errors import BusyError, DigestError, MissingError, TransferError
from entrepot.models import Connection
from support.transfers import Waits, opened
from support.upstream import Fault, Upstream

CONTENT = bytes(range(256)) * 1200
OTHER = CONTENT[::-1]
SHA256 = {"sha256": hashlib.sha256(CONTENT).hexdigest()}
ALL = {name: hashlib.new(name, CONTENT).hexdigest() for name in ("md5", "sha1", "sha224", "sha256", "sha384", "sha512")}
ONCE = Connection(retries=0, timeout=5)


@pytest.fixture
def up() -> Iterator[Upstream]:
    with Upstream(files={"a.deb": CONTENT, "empty": b""}) as upstream:
        yield upstream


def interrupt(up: Upstream, path: Path, *, after: int = 100_000, fault: Fault | None = None) -> None:
    """Downloads the first ``after`` bytes, as a program does that is then killed."""
    up.fail("/a.deb", fault or Fault(cut_after=after))
    with opened(ONCE) as transfer, pytest.raises(TransferError):
        transfer.download(up.url + "a.deb", path, size=len(CONTENT), digests=SHA256)
    up.heal()
    up.forget()


def test_a_file_arrives_and_leaves_nothing_beside_it(up: Upstream, tmp_path: Path) -> None:
    counted: list[int] = []
    with opened() as transfer:
        transfer.download(up.url + "a.deb", tmp_path / "a.deb", size=len(CONTENT), digests=ALL, on_bytes=counted.append)
    assert (tmp_path / "a.deb").read_bytes() == CONTENT
    assert [path.name for path in tmp_path.iterdir()] == ["a.deb"]
    assert sum(counted) == len(CONTENT)
    assert len(counted) > 1


def test_an_empty_file_arrives(up: Upstream, tmp_path: Path) -> None:
    with opened() as transfer:
        transfer.download(up.url + "empty", tmp_path / "x", size=0, digests={"md5": hashlib.md5().hexdigest()})
    assert (tmp_path / "x").read_bytes() == b""


def test_upper_case_digests_are_the_same(up: Upstream, tmp_path: Path) -> None:
    with opened() as transfer:
        transfer.download(
            up.url + "a.deb", tmp_path / "x", size=None, digests={"sha256": SHA256["sha256"].upper()}, limit=10**6
        )
    assert (tmp_path / "x").exists()


@pytest.mark.parametrize("algorithm", sorted(ALL))
def test_every_digest_that_is_given_has_to_be_right(up: Upstream, tmp_path: Path, algorithm: str) -> None:
    wrong = "0" * len(ALL[algorithm])
    with opened() as transfer, pytest.raises(DigestError) as caught:
        transfer.download(up.url + "a.deb", tmp_path / "x", size=len(CONTENT), digests={**ALL, algorithm: wrong})
    assert caught.value.data == {
        "url": up.url + "a.deb",
        "what": algorithm,
        "expected": wrong,
        "got": ALL[algorithm],
    }
    assert all(str(caught.value.data[name]) in str(caught.value) for name in ("url", "expected", "got"))
    assert list(tmp_path.iterdir()) == []


def test_a_wrong_file_is_fetched_once_more_past_the_caches(up: Upstream, tmp_path: Path) -> None:
    up.fail("/a.deb", Fault(times=1, content=OTHER))
    waits = Waits()
    with opened(waits=waits) as transfer:
        transfer.download(up.url + "a.deb", tmp_path / "x", size=len(CONTENT), digests=SHA256)
    assert (tmp_path / "x").read_bytes() == CONTENT
    assert up.count() == 2
    assert up.last().headers["cache-control"] == "no-cache"
    assert waits.seconds == []


def test_a_file_that_stays_wrong_is_fetched_twice_and_no_more(up: Upstream, tmp_path: Path) -> None:
    up.files["/a.deb"] = OTHER
    (tmp_path / "x").write_bytes(b"what was there before")
    with opened(Connection(retries=9)) as transfer, pytest.raises(DigestError):
        transfer.download(up.url + "a.deb", tmp_path / "x", size=len(CONTENT), digests=SHA256)
    assert up.count() == 2
    assert [path.name for path in tmp_path.iterdir()] == ["x"]
    assert (tmp_path / "x").read_bytes() == b"what was there before"


@pytest.mark.parametrize("size", [len(CONTENT) - 1, len(CONTENT) + 1, 0])
@pytest.mark.parametrize("fault", [Fault(), Fault(headers={"Content-Length": None, "Transfer-Encoding": "chunked"})])
def test_a_wrong_size_is_a_digest_error(up: Upstream, tmp_path: Path, size: int, fault: Fault) -> None:
    chunked = b"%x\r\n%s\r\n0\r\n\r\n" % (len(CONTENT), CONTENT)
    if fault.headers:
        up.files["/a.deb"] = chunked
    up.fail("/a.deb", fault)
    with opened() as transfer, pytest.raises(DigestError, match="size is"):
        transfer.download(up.url + "a.deb", tmp_path / "x", size=size, digests={})
    assert list(tmp_path.iterdir()) == []


def test_a_digest_that_cannot_be_computed_is_refused(up: Upstream, tmp_path: Path) -> None:
    with opened() as transfer, pytest.raises(TransferError, match="crc32"):
        transfer.download(up.url + "a.deb", tmp_path / "x", size=1, digests={"crc32": "00"})
    assert up.count() == 0


@pytest.mark.parametrize("size", [None, len(CONTENT)])
@pytest.mark.parametrize("fault", [Fault(), Fault(no_length=True), Fault(endless=True)])
def test_a_file_over_the_limit_is_refused(up: Upstream, tmp_path: Path, fault: Fault, size: int | None) -> None:
    up.fail("/a.deb", fault)
    with opened() as transfer, pytest.raises(TransferError, match="too large"):
        transfer.download(up.url + "a.deb", tmp_path / "x", size=size, digests={}, limit=1000)
    assert up.count() == (0 if size else 1)
    assert not (tmp_path / "x").exists()


def test_an_endless_stream_ends_at_the_size(up: Upstream, tmp_path: Path) -> None:
    up.fail("/a.deb", Fault(endless=True))
    with opened() as transfer, pytest.raises(DigestError, match="or more"):
        transfer.download(up.url + "a.deb", tmp_path / "x", size=len(CONTENT), digests={})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("weak_by", ["etag", "date"])
def test_an_interrupted_file_is_continued_where_it_stopped(up: Upstream, tmp_path: Path, weak_by: str) -> None:
    interrupt(up, tmp_path / "x", fault=Fault(cut_after=100_000, weak=weak_by == "date"))
    assert (tmp_path / "x.part").stat().st_size == 100_000
    note = json.loads((tmp_path / "x.part.json").read_text())
    counted: list[int] = []
    with opened(ONCE) as transfer:
        transfer.download(up.url + "a.deb", tmp_path / "x", size=len(CONTENT), digests=SHA256, on_bytes=counted.append)
    headers = up.last().headers
    assert (up.count(), up.last().status) == (1, 206)
    assert headers["range"] == "bytes=100000-"
    assert headers["if-range"] == note["etag" if weak_by == "etag" else "last_modified"]
    assert (tmp_path / "x").read_bytes() == CONTENT
    assert sum(counted) == len(CONTENT)
    assert [path.name for path in tmp_path.iterdir()] == ["x"]


def test_a_retry_continues_and_counts_no_byte_twice(up: Upstream, tmp_path: Path) -> None:
    up.fail("/a.deb", Fault(cut_after=70_000, times=3))
    counted: list[int] = []
    with opened() as transfer:
        transfer.download(up.url + "a.deb", tmp_path / "x", size=len(CONTENT), digests=SHA256, on_bytes=counted.append)
    assert [request.status for request in up.requests] == [200, 206, 206, 206]
    assert sum(counted) == len(CONTENT)


def test_a_file_that_changed_meanwhile_starts_again(up: Upstream, tmp_path: Path) -> None:
    interrupt(up, tmp_path / "x")
    up.files["/a.deb"] = OTHER
    with opened(ONCE) as transfer:
        transfer.download(
            up.url + "a.deb", tmp_path / "x", size=None, digests={"md5": hashlib.md5(OTHER).hexdigest()}, limit=10**6
        )
    assert [request.status for request in up.requests] == [200]
    assert (tmp_path / "x").read_bytes() == OTHER


def test_a_file_that_changes_under_a_cut_starts_again(up: Upstream, tmp_path: Path) -> None:
    up.fail("/a.deb", Fault(times=1, cut_after=50_000, content=OTHER, content_afterwards=CONTENT))
    with opened() as transfer:
        transfer.download(up.url + "a.deb", tmp_path / "x", size=len(CONTENT), digests=SHA256)
    assert [request.status for request in up.requests] == [200, 200]


def test_a_server_that_ignores_ranges_sends_all_of_it_again(up: Upstream, tmp_path: Path) -> None:
    interrupt(up, tmp_path / "x")
    up.fail("/a.deb", Fault(ignore_range=True))
    with opened(ONCE) as transfer:
        transfer.download(up.url + "a.deb", tmp_path / "x", size=len(CONTENT), digests=SHA256)
    assert (up.count(), up.last().status) == (1, 200)
    assert (tmp_path / "x").read_bytes() == CONTENT


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(Fault(times=1, headers={"Content-Range": "bytes 5-307199/307200"}), id="another place"),
        pytest.param(Fault(times=1, headers={"Content-Range": "bytes */*"}), id="no place"),
        pytest.param(Fault(times=1, headers={"Content-Range": None}), id="no header"),
        pytest.param(Fault(times=1, status=416), id="not satisfiable"),
    ],
)
def test_a_range_that_is_not_the_one_asked_for_starts_again(up: Upstream, tmp_path: Path, fault: Fault) -> None:
    interrupt(up, tmp_path / "x")
    up.fail("/a.deb", fault)
    with opened(ONCE) as transfer:
        transfer.download(up.url + "a.deb", tmp_path / "x", size=len(CONTENT), digests=SHA256)
    assert [request.status for request in up.requests][1:] == [200]
    assert (tmp_path / "x").read_bytes() == CONTENT


def test_a_partial_answer_to_a_whole_request_is_an_error(up: Upstream, tmp_path: Path) -> None:
    up.fail("/a.deb", Fault(status=206))
    with opened(ONCE) as transfer, pytest.raises(TransferError, match="206"):
        transfer.download(up.url + "a.deb", tmp_path / "x", size=len(CONTENT), digests=SHA256)


def test_damaged_kept_bytes_are_noticed_and_fetched_again(up: Upstream, tmp_path: Path) -> None:
    interrupt(up, tmp_path / "x")
    part = tmp_path / "x.part"
    part.write_bytes(b"\xff" + part.read_bytes()[1:])
    with opened(ONCE) as transfer:
        transfer.download(up.url + "a.deb", tmp_path / "x", size=len(CONTENT), digests=SHA256)
    assert [request.status for request in up.requests] == [206, 200]
    assert (tmp_path / "x").read_bytes() == CONTENT


@pytest.mark.parametrize("kept", [CONTENT, OTHER, CONTENT + b"more"], ids=["right", "wrong", "too long"])
def test_a_part_that_is_already_whole_is_checked_without_a_request(up: Upstream, tmp_path: Path, kept: bytes) -> None:
    interrupt(up, tmp_path / "x")
    (tmp_path / "x.part").write_bytes(kept)
    with opened(ONCE) as transfer:
        transfer.download(up.url + "a.deb", tmp_path / "x", size=len(CONTENT), digests=SHA256)
    assert up.count() == (0 if kept == CONTENT else 1)
    assert (tmp_path / "x").read_bytes() == CONTENT


@pytest.mark.parametrize(
    "note", ["", "{", "[]", '{"url": 5}', '{"url": "http://example.org/other", "etag": "\\"x\\""}']
)
def test_a_part_of_unknown_origin_is_not_continued(up: Upstream, tmp_path: Path, note: str) -> None:
    interrupt(up, tmp_path / "x")
    (tmp_path / "x.part.json").write_text(note)
    with opened(ONCE) as transfer:
        transfer.download(up.url + "a.deb", tmp_path / "x", size=len(CONTENT), digests=SHA256)
    assert "range" not in up.last().headers
    assert (tmp_path / "x").read_bytes() == CONTENT


def test_what_cannot_be_continued_is_not_kept(up: Upstream, tmp_path: Path) -> None:
    interrupt(up, tmp_path / "x", fault=Fault(cut_after=100_000, no_validators=True))
    assert list(tmp_path.iterdir()) == []


def test_a_connection_that_ends_early_without_a_length_is_continued(up: Upstream, tmp_path: Path) -> None:
    up.fail("/a.deb", Fault(times=1, no_length=True, cut_after=1000))
    with opened() as transfer:
        transfer.download(up.url + "a.deb", tmp_path / "x", size=len(CONTENT), digests=SHA256)
    assert [request.status for request in up.requests] == [200, 206]


def test_a_missing_file_takes_its_part_with_it(up: Upstream, tmp_path: Path) -> None:
    interrupt(up, tmp_path / "x")
    del up.files["/a.deb"]
    with opened(ONCE) as transfer, pytest.raises(MissingError):
        transfer.download(up.url + "a.deb", tmp_path / "x", size=len(CONTENT), digests=SHA256)
    assert list(tmp_path.iterdir()) == []


def test_the_note_beside_a_part_holds_no_secret(up: Upstream, tmp_path: Path) -> None:
    up.fail("/a.deb?token=hidden", Fault(cut_after=9))
    url = up.url.replace("//", "//user:password@") + "a.deb?token=hidden"
    with opened(ONCE) as transfer, pytest.raises(TransferError) as caught:
        transfer.download(url, tmp_path / "x", size=len(CONTENT), digests=SHA256)
    for text in ((tmp_path / "x.part.json").read_text(), str(caught.value), repr(caught.value.data)):
        assert "password" not in text
        assert "hidden" not in text


def test_a_folder_that_is_not_there_is_told_with_the_path(up: Upstream, tmp_path: Path) -> None:
    with opened() as transfer, pytest.raises(TransferError, match="absent"):
        transfer.download(up.url + "a.deb", tmp_path / "absent" / "x", size=None, digests={})


def test_a_link_in_the_place_of_the_part_is_not_followed(up: Upstream, tmp_path: Path) -> None:
    (tmp_path / "x.part").symlink_to(tmp_path / "victim")
    with opened() as transfer, pytest.raises(TransferError):
        transfer.download(up.url + "a.deb", tmp_path / "x", size=len(CONTENT), digests=SHA256)
    assert not (tmp_path / "victim").exists()


def test_two_downloads_to_one_path_do_not_mix(up: Upstream, tmp_path: Path) -> None:
    with opened() as transfer:

        def second(count: int) -> None:
            with pytest.raises(BusyError):
                transfer.download(up.url + "a.deb", tmp_path / "x", size=len(CONTENT), digests=SHA256)

        transfer.download(up.url + "a.deb", tmp_path / "x", size=len(CONTENT), digests=SHA256, on_bytes=second)
    assert (tmp_path / "x").read_bytes() == CONTENT


def test_many_threads_download_through_one_transfer(up: Upstream, tmp_path: Path) -> None:
    names = [f"f{number}" for number in range(40)]
    up.files.update({f"/{name}": name.encode() * 9000 for name in names})
    with opened(Connection(concurrency=4)) as transfer, ThreadPoolExecutor(16) as pool:

        def fetch(name: str) -> None:
            digest = hashlib.sha256(name.encode() * 9000).hexdigest()
            transfer.download(up.url + name, tmp_path / name, size=len(name) * 9000, digests={"sha256": digest})

        list(pool.map(fetch, names))
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(names)
    # Four at a time; on a busy machine one that was idle for long may have been closed and opened again.
    assert up.connections < len(names) / 2


def test_the_rate_limit_holds_over_all_connections(up: Upstream, tmp_path: Path) -> None:
    waits = Waits()
    limited = Connection(rate_limit=100_000, concurrency=3)
    start = waits.now
    with opened(limited, waits=waits) as transfer, ThreadPoolExecutor(3) as pool:

        def fetch(name: str) -> None:
            transfer.download(up.url + "a.deb", tmp_path / name, size=len(CONTENT), digests=SHA256)

        list(pool.map(fetch, "abc"))
    # The clock of this test runs for all threads at once while real ones wait side by side: it can only be late.
    assert waits.now - start >= 3 * len(CONTENT) / 100_000 - 0.5


def test_without_a_rate_limit_nothing_waits(up: Upstream, tmp_path: Path) -> None:
    waits = Waits()
    with opened(waits=waits) as transfer:
        transfer.download(up.url + "a.deb", tmp_path / "x", size=len(CONTENT), digests=SHA256)
    assert waits.seconds == []


def test_threads_that_fail_leave_those_that_do_not_alone(up: Upstream, tmp_path: Path) -> None:
    up.fail("/bad", Fault(status=404))
    barrier = threading.Barrier(6)
    with opened() as transfer, ThreadPoolExecutor(6) as pool:

        def fetch(number: int) -> bool:
            barrier.wait()
            name = "bad" if number % 2 else "a.deb"
            try:
                transfer.download(up.url + name, tmp_path / str(number), size=len(CONTENT), digests=SHA256)
            except MissingError:
                return False
            return True

        assert list(pool.map(fetch, range(6))) == [True, False] * 3
