"""What may be shown of a URL, and which addresses are private."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from entrepot.transfer import redact, without_user
from entrepot.transfer.throttle import Throttle
from entrepot.transfer.urls import is_private, split_user


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://example.org/debian", "https://example.org/debian"),
        ("https://user:secret@example.org:8443/a?b=c#d", "https://example.org:8443/a?b=c#d"),
        ("https://user@example.org/", "https://example.org/"),
        ("https://user:sec@ret@example.org/", "https://example.org/"),
        ("https://user:sec\\ret@example.org/", "https://example.org/"),
        ("https://user:sec/ret@example.org/", "https://example.org/"),
        ("https://user:sec?ret@example.org/", "https://example.org/"),
        ("//user:secret@example.org/", "//example.org/"),
        ("user:secret@example.org/", "example.org/"),
        ("https://example.org/pool/a@b.deb", "https://example.org/pool/a@b.deb"),
        ("https://example.org:80/pool/a@b.deb", "https://example.org:80/pool/a@b.deb"),
        ("http://[2001:db8::1]:80/a@b", "http://[2001:db8::1]:80/a@b"),
        (
            "https://cdn.example.org/x?e=1&X-Amz-Signature=secret&y=2",
            "https://cdn.example.org/x?e=1&X-Amz-Signature=***&y=2",
        ),
        ("https://cdn.example.org/x?token=secret", "https://cdn.example.org/x?token=***"),
        ("https://example.org/a\n\x1b[31m b", "https://example.org/a%0A%1B[31m%20b"),
        ("https://example.org/\u202egnp\ud800", "https://example.org/%E2%80%AEgnp%3F"),
        ("", ""),
    ],
)
def test_a_url_is_shown_without_what_is_secret_or_dangerous(url: str, shown: str) -> None:
    assert redact(url) == shown


@settings(max_examples=60, deadline=None)
@given(st.text(), st.text(alphabet=st.characters(exclude_characters="/?#")))
def test_user_information_never_survives(name: str, password: str) -> None:
    marked = f"http://{name.replace('/', '').replace('?', '').replace('#', '')}:{password}MARK@example.org/x"
    assert "MARK" not in redact(marked)
    assert without_user(marked) == "http://example.org/x"
    assert split_user(marked)[0] == "http://example.org/x"


@settings(max_examples=60, deadline=None)
@given(st.text())
def test_any_text_can_be_shown(text: str) -> None:
    assert redact(text).isprintable() or not text.isprintable()


@pytest.mark.parametrize(
    ("url", "user"),
    [
        ("http://example.org/", None),
        ("http://a@example.org/", ("a", "")),
        ("http://a:b:c@example.org/", ("a", "b:c")),
        ("http://%C3%A4:%40@example.org/", ("ä", "@")),
        ("http://:b@example.org/", ("", "b")),
    ],
)
def test_user_information_is_unquoted(url: str, user: tuple[str, str] | None) -> None:
    assert split_user(url) == ("http://example.org/", user)


@pytest.mark.parametrize(
    "address",
    [
        *("127.0.0.1", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0"),
        *("224.0.0.1", "255.255.255.255", "::1", "::", "fe80::1", "fc00::1", "ff02::1", "::ffff:10.0.0.1"),
        *("2002:7f00:1::", "64:ff9b::10.0.0.1", "no address"),
    ],
)
def test_an_address_that_the_internet_does_not_route_is_private(address: str) -> None:
    assert is_private(address)


@pytest.mark.parametrize("address", ["198.41.0.4", "2001:500:2::c", "::ffff:198.41.0.4", "64:ff9b::198.41.0.4"])
def test_an_address_of_the_internet_is_public(address: str) -> None:
    assert not is_private(address)


def test_a_throttle_makes_up_for_no_long_pause() -> None:
    now = [0.0]
    waits: list[float] = []
    throttle = Throttle(1000, clock=lambda: now[0], sleep=waits.append)
    throttle.take(1000)
    now[0] = 100.0
    throttle.take(1000)
    assert waits == [0.75, 0.75]
