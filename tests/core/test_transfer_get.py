"""Small files, whole: limits, conditions, errors, retries."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from entrepot import __version__
from entrepot.contracts import Validators
from entrepot.errors import MissingError, TransferError, UsageError
from entrepot.models import Connection, Secrets
from entrepot.transfer import TransferSettings, open_transfer
from support.transfers import Waits, opened
from support.upstream import Fault, Upstream

QUICK = Connection(timeout=0.2, retries=2)


@pytest.fixture
def up() -> Iterator[Upstream]:
    with Upstream(files={"Release": b"Origin: test\n", "empty": b""}) as upstream:
        yield upstream


def test_importing_the_package_does_not_import_httpx() -> None:
    script = "import sys, entrepot.transfer; sys.exit('httpx' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0


@pytest.mark.parametrize(("path", "content"), [("Release", b"Origin: test\n"), ("empty", b"")])
def test_a_small_file_comes_whole_with_its_validators(up: Upstream, path: str, content: bytes) -> None:
    with opened() as transfer:
        fetched = transfer.get(up.url + path, limit=13)
    assert fetched is not None
    assert (fetched.url, fetched.content) == (up.url + path, content)
    assert fetched.validators.etag is not None
    assert fetched.validators.last_modified is not None


def test_an_unchanged_file_is_none_and_costs_one_request(up: Upstream) -> None:
    with opened() as transfer:
        fetched = transfer.get(up.url + "Release", limit=100)
        assert fetched is not None
        assert transfer.get(up.url + "Release", limit=100, validators=fetched.validators) is None
    assert [request.status for request in up.requests] == [200, 304]


def test_last_modified_alone_makes_a_request_conditional(up: Upstream) -> None:
    with opened() as transfer:
        fetched = transfer.get(up.url + "Release", limit=100)
        assert fetched is not None
        only_date = Validators(last_modified=fetched.validators.last_modified)
        assert transfer.get(up.url + "Release", limit=100, validators=only_date) is None


def test_a_changed_file_comes_again(up: Upstream) -> None:
    with opened() as transfer:
        fetched = transfer.get(up.url + "Release", limit=100)
        assert fetched is not None
        up.files["/Release"] = b"Origin: other\n"
        again = transfer.get(up.url + "Release", limit=100, validators=Validators(etag=fetched.validators.etag))
    assert again is not None
    assert again.content == b"Origin: other\n"


def test_an_answer_of_not_modified_to_an_unconditional_request_is_an_error(up: Upstream) -> None:
    up.fail("/Release", Fault(status=304))
    with opened() as transfer, pytest.raises(TransferError, match="304"):
        transfer.get(up.url + "Release", limit=100)


def test_requests_say_who_asks_and_refuse_content_codings(up: Upstream) -> None:
    with opened() as transfer:
        transfer.get(up.url + "Release", limit=100)
    headers = up.last().headers
    assert headers["user-agent"] == f"entrepot/{__version__}"
    assert headers["accept-encoding"] == "identity"
    assert "cookie" not in headers


def test_a_content_coding_that_nobody_asked_for_is_left_as_it_is(up: Upstream) -> None:
    up.files["/Packages.gz"] = b"\x1f\x8b not really"
    up.fail("/Packages.gz", Fault(headers={"Content-Encoding": "gzip"}))
    with opened() as transfer:
        fetched = transfer.get(up.url + "Packages.gz", limit=100)
    assert fetched is not None
    assert fetched.content == b"\x1f\x8b not really"


def test_cookies_are_not_sent_back(up: Upstream) -> None:
    up.fail("/Release", Fault(headers={"Set-Cookie": "seen=1"}))
    with opened() as transfer:
        transfer.get(up.url + "Release", limit=100)
        transfer.get(up.url + "Release", limit=100)
    assert "cookie" not in up.last().headers


def test_one_connection_serves_many_requests_even_those_that_fail(up: Upstream) -> None:
    with opened() as transfer:
        for path in ("Release", "Release", "absent", "Release"):
            if path == "absent":
                with pytest.raises(MissingError):
                    transfer.get(up.url + path, limit=100)
            else:
                fetched = transfer.get(up.url + path, limit=100)
        assert fetched is not None
        transfer.get(up.url + "Release", limit=100, validators=fetched.validators)
        transfer.get(up.url + "Release", limit=100)
    assert up.connections == 1


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(Fault(), id="announced"),
        pytest.param(Fault(no_length=True), id="not announced"),
        pytest.param(Fault(endless=True), id="endless"),
    ],
)
def test_more_than_the_limit_is_refused_at_once(up: Upstream, fault: Fault) -> None:
    up.fail("/Release", fault)
    with opened(QUICK) as transfer, pytest.raises(TransferError, match="too large"):
        transfer.get(up.url + "Release", limit=12)
    assert up.count() == 1


def test_a_length_that_promises_more_than_comes_is_an_error_after_retries(up: Upstream) -> None:
    up.fail("/Release", Fault(headers={"Content-Length": "20"}))
    with opened(QUICK) as transfer, pytest.raises(TransferError, match="tried 3 times"):
        transfer.get(up.url + "Release", limit=100)
    assert up.count() == 3


@pytest.mark.parametrize("status", [404, 410])
def test_what_is_not_there_is_missing_and_not_asked_for_again(up: Upstream, status: int) -> None:
    up.fail("/Release", Fault(status=status))
    with opened() as transfer, pytest.raises(MissingError) as caught:
        transfer.get(up.url + "Release", limit=100)
    assert caught.value.data == {"url": up.url + "Release", "status": status}
    assert up.count() == 1


@pytest.mark.parametrize(("status", "hint"), [(403, "object stores"), (401, "password"), (400, "")])
def test_a_refusal_is_no_missing_file_and_is_final(up: Upstream, status: int, hint: str) -> None:
    up.fail("/Release", Fault(status=status))
    with opened() as transfer, pytest.raises(TransferError) as caught:
        transfer.get(up.url + "Release", limit=100)
    assert not isinstance(caught.value, MissingError)
    assert hint in caught.value.hint
    assert up.count() == 1


@pytest.mark.parametrize("status", [204, 206, 300])
def test_an_answer_that_is_no_file_is_an_error(up: Upstream, status: int) -> None:
    up.fail("/Release", Fault(status=status))
    with opened() as transfer, pytest.raises(TransferError, match=str(status)):
        transfer.get(up.url + "Release", limit=100)


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_a_server_in_trouble_is_asked_again_after_growing_waits(up: Upstream, status: int) -> None:
    up.fail("/Release", Fault(status=status, times=3))
    waits = Waits()
    with opened(waits=waits) as transfer:
        assert transfer.get(up.url + "Release", limit=100) is not None
    assert waits.seconds == [0.5, 1.0, 2.0]


def test_a_server_that_stays_in_trouble_fails_after_all_tries(up: Upstream) -> None:
    up.fail("/Release", Fault(status=503))
    with opened(Connection(retries=4)) as transfer, pytest.raises(TransferError, match=r"503.*tried 5 times"):
        transfer.get(up.url + "Release", limit=100)
    assert up.count() == 5


@pytest.mark.parametrize(
    ("asked", "waited"),
    [
        ("7", 7.0),
        ("99999", 60.0),
        ("9" * 400, 60.0),
        ("Fri, 31 Dec 2199 23:59:59 GMT", 60.0),
        ("Sat, 01 Jan 2000 00:00:00 GMT", 0.5),
        ("soon", 0.5),
        ("-5", 0.5),
    ],
)
def test_retry_after_is_honoured_within_bounds(up: Upstream, asked: str, waited: float) -> None:
    up.fail("/Release", Fault(status=503, times=1, headers={"Retry-After": asked}))
    waits = Waits()
    with opened(waits=waits) as transfer:
        transfer.get(up.url + "Release", limit=100)
    assert waits.seconds == [waited]


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(Fault(cut_after=5, times=2), id="cut"),
        pytest.param(Fault(stall_after=-1, times=2), id="not a byte"),
        pytest.param(Fault(stall_after=5, times=2), id="not another byte"),
    ],
)
def test_a_broken_connection_is_tried_again(up: Upstream, fault: Fault) -> None:
    up.fail("/Release", fault)
    with opened(QUICK) as transfer:
        fetched = transfer.get(up.url + "Release", limit=100)
    assert fetched is not None
    assert fetched.content == b"Origin: test\n"
    assert up.count() == 3


def test_a_silent_server_is_a_time_out(up: Upstream) -> None:
    up.fail("/Release", Fault(stall_after=-1))
    with (
        opened(Connection(timeout=0.05, retries=1)) as transfer,
        pytest.raises(TransferError, match=r"not a byte for 0\.05 s \(tried 2 times\)"),
    ):
        transfer.get(up.url + "Release", limit=100)


def test_a_closed_port_is_tried_again_and_told() -> None:
    with Upstream() as upstream:
        url = upstream.url
    waits = Waits()
    with opened(QUICK, waits=waits) as transfer, pytest.raises(TransferError, match="refused"):
        transfer.get(url, limit=100)
    assert len(waits.seconds) == 2


def test_a_host_that_does_not_exist_is_told_at_once() -> None:
    waits = Waits()
    with opened(waits=waits) as transfer, pytest.raises(TransferError) as caught:
        transfer.get("http://nowhere.invalid/Release", limit=100)
    assert caught.value.data["url"] == "http://nowhere.invalid/Release"


@pytest.mark.parametrize(
    "url",
    ["ftp://example.org/x", "data:,x", "Release", "", "http://", "http:///x", "http://exa mple/\x00", "http://[::1/x"],
)
def test_what_is_no_url_of_ours_is_refused(url: str) -> None:
    with opened() as transfer, pytest.raises(TransferError):
        transfer.get(url, limit=100)


@pytest.mark.parametrize(
    "connection",
    [Connection(concurrency=0), Connection(retries=-1), Connection(timeout=0), Connection(rate_limit=-1)],
)
def test_options_that_make_no_sense_are_refused(connection: Connection) -> None:
    with pytest.raises(UsageError), opened(connection):
        pass


@pytest.mark.parametrize(
    "header",
    [("X Y", "secret"), ("", "secret"), ("Range", "secret"), ("X-Token", "secret\r\nX: y"), ("X-Token", "secr\u00e9t")],
)
def test_a_header_that_cannot_be_sent_is_refused_without_its_value(header: tuple[str, str]) -> None:
    with pytest.raises(UsageError) as caught, opened(secrets=Secrets(headers=(header,))):
        pass
    assert "secr" not in f"{caught.value}{caught.value.data}"


def test_a_closed_transfer_fetches_nothing(up: Upstream) -> None:
    with opened() as transfer:
        transfer.get(up.url + "Release", limit=100)
    with pytest.raises(TransferError, match="closed"):
        transfer.get(up.url + "Release", limit=100)


def test_who_waits_to_try_again_gives_up_when_the_transfer_is_closed(up: Upstream) -> None:
    up.fail("/Release", Fault(status=503))
    settings = TransferSettings(backoff=1000, longest_wait=1000)
    with (
        open_transfer(Connection(retries=9), Secrets(), settings=settings) as transfer,
        ThreadPoolExecutor() as executor,
    ):
        fetching = executor.submit(transfer.get, up.url + "Release", limit=100)
        up.wait_for("/Release")
        transfer.close()
        assert isinstance(fetching.exception(60), TransferError)


def test_the_waits_of_two_clients_differ() -> None:
    chances = {TransferSettings().chance() for _ in range(8)}
    assert len(chances) == 8
