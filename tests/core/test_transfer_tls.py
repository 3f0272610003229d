"""HTTPS: whom we believe, whom we show our certificate."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from entrepot.errors import TransferError, UsageError
from entrepot.models import Connection, Secrets
from support.certificates import Certificates, make_certificates
from support.transfers import Waits, opened
from support.upstream import Fault, Upstream

FILES = {"a": b"secure"}


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return make_certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture
def up(certificates: Certificates) -> Iterator[Upstream]:
    with Upstream(files=FILES, tls=certificates) as upstream:
        yield upstream


@pytest.fixture
def closed(certificates: Certificates) -> Iterator[Upstream]:
    """An upstream that wants a client certificate."""
    with Upstream(files=FILES, tls=certificates, client_certificate=True) as upstream:
        yield upstream


@pytest.fixture
def trusting(certificates: Certificates) -> Connection:
    return Connection(ca_cert=str(certificates.ca), retries=1, timeout=5)


@pytest.fixture
def showing(certificates: Certificates, trusting: Connection) -> Connection:
    return replace(trusting, client_cert=str(certificates.client_cert), client_key=str(certificates.client_key))


def test_the_ca_of_the_source_is_believed(up: Upstream, trusting: Connection) -> None:
    with opened(trusting) as transfer:
        fetched = transfer.get(up.url + "a", limit=10)
    assert fetched is not None
    assert fetched.content == b"secure"


def test_an_unknown_ca_is_refused_at_once_with_a_hint(up: Upstream) -> None:
    waits = Waits()
    with opened(waits=waits) as transfer, pytest.raises(TransferError, match="not trusted") as caught:
        transfer.get(up.url + "a", limit=10)
    assert "--ca-cert" in caught.value.hint
    assert waits.seconds == []


def test_a_certificate_for_another_name_is_refused(up: Upstream, trusting: Connection) -> None:
    with opened(trusting) as transfer, pytest.raises(TransferError, match="not trusted"):
        transfer.get(f"https://127.1:{up.port}/a", limit=10)


def test_a_server_that_does_not_speak_tls_is_told(trusting: Connection) -> None:
    with (
        Upstream(files=FILES) as plain,
        opened(trusting) as transfer,
        pytest.raises(TransferError, match="https://127"),
    ):
        transfer.get(plain.url.replace("http:", "https:") + "a", limit=10)


def test_a_client_certificate_opens_what_asks_for_one(closed: Upstream, showing: Connection) -> None:
    with opened(showing) as transfer:
        assert transfer.get(closed.url + "a", limit=10) is not None


def test_without_a_client_certificate_the_error_says_so(closed: Upstream, trusting: Connection) -> None:
    with opened(trusting) as transfer, pytest.raises(TransferError):
        transfer.get(closed.url + "a", limit=10)


def test_a_client_certificate_is_not_shown_after_a_redirect(
    up: Upstream, closed: Upstream, showing: Connection
) -> None:
    up.fail("/a", Fault(redirect=closed.url + "a"))
    with opened(showing) as transfer, pytest.raises(TransferError):
        transfer.get(up.url + "a", limit=10)
    assert closed.count() == 0


def test_a_client_certificate_is_not_shown_to_a_mirror(up: Upstream, closed: Upstream, showing: Connection) -> None:
    with opened(showing, source_url=up.url) as transfer, pytest.raises(TransferError):
        transfer.get(closed.url + "a", limit=10)
    assert closed.count() == 0


def test_https_does_not_lead_to_http(up: Upstream, trusting: Connection) -> None:
    with Upstream(files=FILES) as plain:
        up.fail("/a", Fault(redirect=plain.url + "a"))
        with opened(trusting) as transfer, pytest.raises(TransferError, match="from https to http"):
            transfer.get(up.url + "a", limit=10)
        assert plain.count() == 0


def test_http_leads_to_https_without_the_secrets(up: Upstream, trusting: Connection) -> None:
    with Upstream(files=FILES) as plain:
        plain.fail("/a", Fault(redirect=up.url + "a"))
        with opened(trusting, Secrets(username="user", password="hidden")) as transfer:
            assert transfer.get(plain.url + "a", limit=10) is not None
    assert "authorization" in plain.last().headers
    assert "authorization" not in up.last().headers


def test_a_key_under_a_passphrase_is_refused_without_asking_for_it(
    certificates: Certificates, closed: Upstream, showing: Connection
) -> None:
    locked = replace(showing, client_key=str(certificates.locked_key))
    with opened(locked) as transfer, pytest.raises(UsageError, match="passphrase"):
        transfer.get(closed.url + "a", limit=10)


@pytest.mark.parametrize("content", [None, b"no certificate"], ids=["absent", "not one"])
@pytest.mark.parametrize("option", ["ca_cert", "client_cert", "client_key"])
def test_a_file_that_cannot_be_used_is_named(
    up: Upstream, showing: Connection, tmp_path: Path, option: str, content: bytes | None
) -> None:
    path = tmp_path / "file.pem"
    if content is not None:
        path.write_bytes(content)
    connection = {
        "ca_cert": replace(showing, ca_cert=str(path)),
        "client_cert": replace(showing, client_cert=str(path)),
        "client_key": replace(showing, client_key=str(path)),
    }[option]
    with opened(connection) as transfer, pytest.raises(UsageError, match=r"file\.pem"):
        transfer.get(up.url + "a", limit=10)


def test_an_interrupted_file_is_continued_over_tls(up: Upstream, trusting: Connection, tmp_path: Path) -> None:
    up.files["/big"] = bytes(100_000)
    up.fail("/big", Fault(times=1, cut_after=50_000))
    with opened(trusting) as transfer:
        transfer.download(up.url + "big", tmp_path / "x", size=100_000, digests={})
    assert [request.status for request in up.requests] == [200, 206]
