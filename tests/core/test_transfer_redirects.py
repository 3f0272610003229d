"""Where redirects may lead, and what goes with them: nothing secret."""

from __future__ import annotations

import base64
from collections.abc import Collection, Iterator
from pathlib import Path

import pytest

from entrepot.errors import TransferError
from entrepot.models import Connection, Secrets
from support.transfers import opened
from support.upstream import Fault, Upstream

PUBLIC = "198.41.0.4"
SECRETS = Secrets(username="user", password="pässword", headers=(("X-Token", "hidden"),))
BASIC = "Basic " + base64.b64encode("user:pässword".encode()).decode()


@pytest.fixture
def up() -> Iterator[Upstream]:
    with Upstream(files={"a": b"here"}) as upstream:
        yield upstream


@pytest.fixture
def other() -> Iterator[Upstream]:
    with Upstream(files={"a": b"there", "sub/b": b"below"}) as upstream:
        yield upstream


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_followed_and_the_last_url_told(up: Upstream, other: Upstream, status: int) -> None:
    up.fail("/a", Fault(redirect=other.url + "a", status=status))
    with opened() as transfer:
        fetched = transfer.get(up.url + "a", limit=10)
    assert fetched is not None
    assert (fetched.url, fetched.content) == (other.url + "a", b"there")


@pytest.mark.parametrize("location", ["/sub/b", "sub/b", "./x/../sub/b", "sub/b#fragment"])
def test_a_relative_location_is_joined(other: Upstream, location: str) -> None:
    other.fail("/a", Fault(redirect=location))
    with opened() as transfer:
        fetched = transfer.get(other.url + "a", limit=10)
    assert fetched is not None
    assert fetched.url == other.url + "sub/b"


def test_a_redirect_is_followed_on_the_same_connection(other: Upstream) -> None:
    other.fail("/a", Fault(redirect="/sub/b"))
    with opened() as transfer:
        transfer.get(other.url + "a", limit=10)
    assert other.connections == 1


def test_a_download_and_its_continuation_follow_redirects(up: Upstream, other: Upstream, tmp_path: Path) -> None:
    other.files["/big"] = bytes(100_000)
    other.fail("/big", Fault(times=1, cut_after=50_000))
    up.fail("/a", Fault(redirect=other.url + "big"))
    with opened() as transfer:
        transfer.download(up.url + "a", tmp_path / "x", size=100_000, digests={})
    assert [request.status for request in other.requests] == [200, 206]


@pytest.mark.parametrize(("redirects", "allowed"), [(10, True), (11, False)])
def test_ten_redirects_are_followed_and_no_more(up: Upstream, redirects: int, allowed: bool) -> None:
    for number in range(redirects):
        up.fail(f"/r{number}", Fault(redirect=f"/r{number + 1}" if number < redirects - 1 else "/a"))
    with opened() as transfer:
        if allowed:
            assert transfer.get(up.url + "r0", limit=10) is not None
        else:
            with pytest.raises(TransferError, match="more than 10 redirects"):
                transfer.get(up.url + "r0", limit=10)


@pytest.mark.parametrize(
    "location",
    ["file:///etc/passwd", "ftp://example.org/a", "gopher://127.0.0.1/", "data:,x", "http://[::1", "//:80"],
)
def test_a_redirect_to_what_is_not_http_is_refused(up: Upstream, location: str) -> None:
    up.fail("/a", Fault(redirect=location))
    with opened() as transfer, pytest.raises(TransferError, match="redirected"):
        transfer.get(up.url + "a", limit=10)
    assert up.count() == 1


def test_a_refused_redirect_does_not_hold_its_connection(up: Upstream) -> None:
    up.fail("/r", Fault(redirect="ftp://example.org/a"))
    with opened(Connection(concurrency=1, timeout=5)) as transfer:
        with pytest.raises(TransferError):
            transfer.get(up.url + "r", limit=10)
        assert transfer.get(up.url + "a", limit=10) is not None


def test_a_redirect_to_nowhere_is_an_error(up: Upstream) -> None:
    up.fail("/a", Fault(status=302))
    with opened() as transfer, pytest.raises(TransferError, match="to nowhere"):
        transfer.get(up.url + "a", limit=10)


def test_secrets_go_to_the_source(up: Upstream) -> None:
    up.fail("/a", Fault(auth=("user", "pässword")))
    with opened(secrets=SECRETS) as transfer:
        assert transfer.get(up.url + "a", limit=10) is not None
    assert up.last().headers["authorization"] == BASIC
    assert up.last().headers["x-token"] == "hidden"


def test_secrets_stay_on_a_redirect_within_the_source(up: Upstream) -> None:
    up.fail("/r", Fault(redirect="/a"))
    with opened(secrets=SECRETS) as transfer:
        transfer.get(up.url + "r", limit=10)
    assert up.last("/a").headers["authorization"] == BASIC


def test_secrets_do_not_go_to_another_port_and_not_back_again(up: Upstream, other: Upstream) -> None:
    up.fail("/r", Fault(redirect=other.url + "r"))
    other.fail("/r", Fault(redirect=up.url + "a"))
    with opened(secrets=SECRETS) as transfer:
        transfer.get(up.url + "r", limit=10)
    assert "authorization" in up.requests[0].headers
    for request in (other.last(), up.last("/a")):
        assert not {"authorization", "x-token"} & set(request.headers)


def test_secrets_do_not_go_to_another_name_of_the_same_server(up: Upstream) -> None:
    up.fail("/r", Fault(redirect=f"http://localhost:{up.port}/a"))
    with opened(secrets=SECRETS) as transfer:
        transfer.get(up.url + "r", limit=10)
    assert not {"authorization", "x-token"} & set(up.last("/a").headers)


def test_secrets_go_to_no_mirror_when_the_source_is_known(up: Upstream, other: Upstream) -> None:
    with opened(secrets=SECRETS, source_url=up.url + "debian") as transfer:
        transfer.get(up.url + "a", limit=10)
        transfer.get(other.url + "a", limit=10)
    assert "authorization" in up.last().headers
    assert not {"authorization", "x-token"} & set(other.last().headers)


def test_user_information_in_a_url_is_used_and_hidden(up: Upstream) -> None:
    up.fail("/a", Fault(auth=("us er", "p@ss/word")))
    url = up.url.replace("//", "//us%20er:p@ss%2Fword@")
    with opened() as transfer:
        fetched = transfer.get(url + "a", limit=10)
        assert fetched is not None
        assert fetched.url == up.url + "a"
        with pytest.raises(TransferError) as caught:
            transfer.get(url + "absent", limit=10)
    assert "word" not in f"{caught.value} {caught.value.data}"
    assert up.last().path == "/absent"


def test_the_secrets_of_the_source_win_over_user_information(up: Upstream) -> None:
    with opened(secrets=SECRETS) as transfer:
        transfer.get(up.url.replace("//", "//other:one@") + "a", limit=10)
    assert up.last().headers["authorization"] == BASIC


def test_user_information_in_a_redirect_is_not_used(up: Upstream, other: Upstream) -> None:
    up.fail("/a", Fault(redirect=other.url.replace("//", "//user:hidden@") + "a"))
    with opened() as transfer:
        fetched = transfer.get(up.url + "a", limit=10)
    assert fetched is not None
    assert fetched.url == other.url + "a"
    assert "authorization" not in other.last().headers


def test_no_error_holds_a_secret(up: Upstream) -> None:
    up.fail("/a", Fault(redirect="ftp://user:hidden@example.org/?X-Amz-Signature=hidden"))
    with opened(secrets=SECRETS) as transfer, pytest.raises(TransferError) as caught:
        transfer.get(up.url.replace("//", "//user:hidden@") + "a", limit=10)
    assert "hidden" not in f"{caught.value} {caught.value.data} {caught.value.hint}"


class Addresses:
    """Says which hosts are public, without asking anybody."""

    def __init__(self, **hosts: str) -> None:
        self.hosts = {"127.0.0.1": PUBLIC, **hosts}

    def __call__(self, host: str, port: int) -> Collection[str]:
        found = self.hosts.get(host)
        return () if found is None else found.split()


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1", "10.1.2.3", "169.254.169.254", "::1", "fe80::1", f"{PUBLIC} 10.0.0.1", "::ffff:127.0.0.1", "0.0.0.0"],
)
def test_a_public_host_does_not_lead_to_a_private_address(up: Upstream, other: Upstream, address: str) -> None:
    up.fail("/a", Fault(redirect=f"http://localhost:{other.port}/a"))
    with opened(resolve=Addresses(localhost=address)) as transfer, pytest.raises(TransferError, match="private"):
        transfer.get(up.url + "a", limit=10)
    assert other.count() == 0


def test_a_public_host_leads_to_private_addresses_where_that_is_allowed(up: Upstream, other: Upstream) -> None:
    up.fail("/a", Fault(redirect=f"http://localhost:{other.port}/a"))
    with opened(resolve=Addresses(localhost="127.0.0.1"), allow_private_redirects=True) as transfer:
        assert transfer.get(up.url + "a", limit=10) is not None


def test_a_public_source_names_no_mirror_at_a_private_address(up: Upstream) -> None:
    mirror = f"http://localhost:{up.port}/a"
    addresses = Addresses(localhost="127.0.0.1")
    with opened(resolve=addresses, source_url=up.url) as transfer, pytest.raises(TransferError, match="private"):
        transfer.get(mirror, limit=10)
    assert up.count() == 0


def test_a_private_source_names_any_mirror(up: Upstream) -> None:
    with opened(source_url=up.url) as transfer:
        assert transfer.get(f"http://localhost:{up.port}/a", limit=10) is not None


def test_a_private_source_redirects_as_it_likes(up: Upstream, other: Upstream) -> None:
    up.fail("/a", Fault(redirect=f"http://localhost:{other.port}/a"))
    with opened() as transfer:
        assert transfer.get(up.url + "a", limit=10) is not None


def test_a_name_whose_address_changes_after_the_check_is_noticed(up: Upstream, other: Upstream) -> None:
    up.fail("/a", Fault(redirect=f"http://localhost:{other.port}/a"))
    with opened(resolve=Addresses(localhost=PUBLIC)) as transfer, pytest.raises(TransferError, match="private"):
        transfer.get(up.url + "a", limit=10)


def test_a_private_detour_does_not_make_a_public_host_private(up: Upstream, other: Upstream) -> None:
    """Public, then unknown to the resolver, then private: what was public once stays so."""
    up.fail("/a", Fault(redirect=f"http://localhost:{other.port}/a"))
    proxied = Connection(proxy=up.url)
    up.fail("/r", Fault(redirect="http://unknown.example.org/r2"))
    up.fail("/r2", Fault(redirect="http://inner.example.org/a"))
    addresses = Addresses(**{"public.example.org": PUBLIC, "inner.example.org": "10.0.0.1"})
    with opened(proxied, resolve=addresses) as transfer, pytest.raises(TransferError, match="private"):
        transfer.get("http://public.example.org/r", limit=10)
    assert [request.path for request in up.requests] == [
        "http://public.example.org/r",
        "http://unknown.example.org/r2",
    ]


@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]", "2130706433", "0x7f.1", "localhost", "[::ffff:a00:1]"])
def test_through_a_proxy_private_addresses_are_refused_in_every_spelling(up: Upstream, host: str) -> None:
    up.fail("/r", Fault(redirect=f"http://{host}/a"))
    with opened(Connection(proxy=up.url)) as transfer, pytest.raises(TransferError, match="private"):
        transfer.get(f"http://{PUBLIC}/r", limit=10)
    assert up.count() == 1
