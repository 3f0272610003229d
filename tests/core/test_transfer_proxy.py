"""Proxies: the source's own, and the environment's."""

from __future__ import annotations

import base64
from collections.abc import Iterator

import pytest

from entrepot.errors import TransferError, UsageError
from entrepot.models import Connection
from support.transfers import opened
from support.upstream import Fault, Upstream


@pytest.fixture
def proxy() -> Iterator[Upstream]:
    with Upstream(files={"a": b"by proxy"}) as upstream:
        yield upstream


@pytest.fixture
def clean(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    return monkeypatch


def test_a_source_is_reached_through_its_proxy(proxy: Upstream) -> None:
    with opened(Connection(proxy=proxy.url)) as transfer:
        fetched = transfer.get("http://repo.example.org/a", limit=10)
    assert fetched is not None
    assert fetched.content == b"by proxy"
    assert proxy.last().path == "http://repo.example.org/a"


def test_the_password_of_a_proxy_goes_to_the_proxy(proxy: Upstream) -> None:
    with opened(Connection(proxy=proxy.url.replace("//", "//user:hidden@"))) as transfer:
        transfer.get("http://repo.example.org/a", limit=10)
    wanted = "Basic " + base64.b64encode(b"user:hidden").decode()
    assert proxy.last().headers["proxy-authorization"] == wanted


def test_a_proxy_that_refuses_a_tunnel_is_told_without_its_password(proxy: Upstream) -> None:
    with (
        opened(Connection(proxy=proxy.url.replace("//", "//user:hidden@"), retries=0)) as transfer,
        pytest.raises(TransferError, match="the proxy answered 501") as caught,
    ):
        transfer.get("https://repo.example.org/a", limit=10)
    assert "hidden" not in str(caught.value)


def test_a_proxy_that_wants_a_password_is_asked_once(proxy: Upstream) -> None:
    proxy.fail("/a", Fault(status=407))
    with opened(Connection(proxy=proxy.url)) as transfer, pytest.raises(TransferError) as caught:
        transfer.get("http://repo.example.org/a", limit=10)
    assert "the proxy wants" in caught.value.hint
    assert proxy.count() == 1


@pytest.mark.parametrize("url", ["socks5://127.0.0.1:1080", "127.0.0.1:3128", "ftp://127.0.0.1", "http://", ""])
def test_what_is_no_http_proxy_is_refused(url: str) -> None:
    with opened(Connection(proxy=url)) as transfer, pytest.raises(UsageError, match="proxy"):
        transfer.get("http://repo.example.org/a", limit=10)


@pytest.mark.parametrize("variable", ["http_proxy", "all_proxy"])
@pytest.mark.parametrize("scheme", ["http://", ""])
def test_the_proxy_of_the_environment_is_used(
    proxy: Upstream, clean: pytest.MonkeyPatch, variable: str, scheme: str
) -> None:
    clean.setenv(variable, f"{scheme}127.0.0.1:{proxy.port}")
    with opened(trust_environment=True) as transfer:
        assert transfer.get("http://repo.example.org/a", limit=10) is not None


def test_no_proxy_is_used_for_hosts_that_the_environment_excepts(proxy: Upstream, clean: pytest.MonkeyPatch) -> None:
    clean.setenv("http_proxy", "http://127.0.0.1:1")
    clean.setenv("no_proxy", "127.0.0.1")
    with opened(trust_environment=True) as transfer:
        assert transfer.get(proxy.url + "a", limit=10) is not None


def test_the_proxy_of_the_source_wins_over_the_environment(proxy: Upstream, clean: pytest.MonkeyPatch) -> None:
    clean.setenv("http_proxy", "http://127.0.0.1:1")
    with opened(Connection(proxy=proxy.url), trust_environment=True) as transfer:
        assert transfer.get("http://repo.example.org/a", limit=10) is not None
