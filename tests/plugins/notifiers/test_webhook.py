"""Webhooks: signed as the Standard Webhooks specification says, to the one URL that the settings name."""

from __future__ import annotations

import base64
import json
import logging
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import pytest

from entrepot.contracts import Notice
from entrepot.errors import DeliveryError, SettingsError
from entrepot.testing import NotifierContract
from entrepot_plugins.notifiers import WebhookFactory
from entrepot_plugins.notifiers.webhook import sign
from support.certificates import make_certificates
from support.receiver import Receiver

PAGE = (Path(__file__).parents[3] / "docs" / "events.md").read_text(encoding="utf-8")
KEY = "whsec_" + base64.b64encode(b"k" * 24).decode()
OTHER = "whsec_" + base64.b64encode(b"o" * 32).decode()
NOTICE = Notice("evt_1", "version_created", {"id": "evt_1", "type": "version_created", "data": {"message": "é\n"}})
Verify = Callable[[Mapping[str, str], bytes, Sequence[str], float], Any]


@pytest.fixture(autouse=True)
def keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOOK_KEY", KEY)
    monkeypatch.setenv("OTHER_KEY", OTHER)
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as receiver:
        yield receiver


@pytest.fixture(scope="module")
def verify() -> Verify:
    """The receiver's side as the documentation has it."""
    scope: dict[str, Any] = {}
    (code,) = re.findall(r"```python\n(# receiver\.py.*?)```", PAGE, re.DOTALL)
    exec(code, scope)
    function: Verify = scope["verify"]
    return function


def send(settings: Mapping[str, Any], home: Path = Path("/nowhere"), seconds: float = 10.0) -> None:
    with WebhookFactory().open("ops", {"secret": {"env": "HOOK_KEY"}, **settings}, home) as notifier:
        notifier.deliver([NOTICE], seconds)


class TestContract(NotifierContract):
    secrets: ClassVar[Sequence[str]] = (KEY, "hidden-path")

    @pytest.fixture(autouse=True)
    def _receivers(self) -> Iterator[None]:
        with Receiver() as self.good, Receiver() as self.bad:
            self.bad.status = 500
            yield

    def make_factory(self) -> WebhookFactory:
        return WebhookFactory()

    def settings(self, folder: Path) -> Mapping[str, Any]:
        return {"url": self.good.url, "secret": {"env": "HOOK_KEY"}}

    def broken(self, folder: Path) -> Mapping[str, Any]:
        return {"url": f"{self.bad.url}/hidden-path", "secret": {"env": "HOOK_KEY"}}

    def received(self, folder: Path) -> Sequence[str]:
        return [post.headers["webhook-id"] for post in self.good.posts]


def test_the_receiver_of_the_documentation_believes_what_is_sent_and_nothing_else(
    receiver: Receiver, verify: Verify
) -> None:
    send({"url": receiver.url})
    (post,) = receiver.posts
    now = float(post.headers["webhook-timestamp"])
    assert verify(post.headers, post.body, [KEY], now) == json.loads(post.body) == NOTICE.document
    assert post.headers["webhook-id"] == "evt_1"
    assert post.headers["content-type"] == "application/json"
    for headers, body, secret, moment in [
        (post.headers, post.body + b" ", KEY, now),
        (post.headers, post.body, OTHER, now),
        ({**post.headers, "webhook-id": "evt_2"}, post.body, KEY, now),
        (post.headers, post.body, KEY, now + 301),
        (post.headers, post.body, KEY, now - 301),
    ]:
        with pytest.raises(ValueError):
            verify(headers, body, [secret], moment)


def test_the_signature_is_that_of_the_specification() -> None:
    # The example of the specification's reference libraries.
    secret = base64.b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    body = b'{"test": 2432232314}'
    signature = sign([secret], "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, body)
    assert signature == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_while_a_secret_is_changed_both_sign(receiver: Receiver, verify: Verify) -> None:
    send({"url": receiver.url, "secret": [{"env": "HOOK_KEY"}, {"env": "OTHER_KEY"}]})
    (post,) = receiver.posts
    for secret in (KEY, OTHER):
        assert verify(post.headers, post.body, [secret], float(post.headers["webhook-timestamp"]))


def test_secret_and_url_may_be_in_files(receiver: Receiver, tmp_path: Path, verify: Verify) -> None:
    (tmp_path / "key").write_text(f"{OTHER}\nwhat follows is a note\n")
    (tmp_path / "url").write_text(f"{receiver.url}\n")
    send({"url": {"file": "url"}, "secret": {"file": "key"}}, tmp_path)
    (post,) = receiver.posts
    assert verify(post.headers, post.body, [OTHER], float(post.headers["webhook-timestamp"]))


def test_who_knows_no_signatures_gets_none(receiver: Receiver) -> None:
    with WebhookFactory().open("ops", {"url": receiver.url, "unsigned": True}, Path("/nowhere")) as notifier:
        notifier.deliver([NOTICE], 10.0)
    assert "webhook-signature" not in receiver.posts[0].headers


@pytest.mark.parametrize("status", [400, 404, 500, 503])
def test_any_answer_but_success_is_a_failure_that_is_tried_again(receiver: Receiver, status: int) -> None:
    receiver.status = status
    with pytest.raises(DeliveryError, match=f"127.0.0.1 answered {status}") as caught:
        send({"url": receiver.url})
    assert (caught.value.for_good, caught.value.retry_after) == (False, 0)


def test_a_busy_receiver_says_when_to_come_again(receiver: Receiver) -> None:
    receiver.status, receiver.headers = 429, {"retry-after": "120"}
    with pytest.raises(DeliveryError) as caught:
        send({"url": receiver.url})
    assert caught.value.retry_after == 120


def test_who_is_gone_is_not_asked_again(receiver: Receiver) -> None:
    receiver.status = 410
    with pytest.raises(DeliveryError) as caught:
        send({"url": receiver.url})
    assert caught.value.for_good


def test_redirects_are_not_followed(receiver: Receiver) -> None:
    with Receiver() as elsewhere:
        receiver.status, receiver.headers = 307, {"location": elsewhere.url}
        with pytest.raises(DeliveryError, match="redirects are not followed"):
            send({"url": receiver.url})
        assert elsewhere.posts == []


def test_who_says_nothing_is_waited_for_no_longer_than_there_is_time(receiver: Receiver) -> None:
    receiver.silent = True
    with pytest.raises(DeliveryError, match=r"did not answer within 0\.2 s"):
        send({"url": receiver.url}, seconds=0.2)


def test_who_is_not_there_is_told_without_the_path_of_the_url() -> None:
    with Receiver() as receiver:
        url = f"{receiver.url}/hidden"
    with pytest.raises(DeliveryError, match="cannot be reached: Connection refused") as caught:
        send({"url": url})
    assert "hidden" not in f"{caught.value}{caught.value.hint}{caught.value.data}"


def test_the_path_of_the_url_is_in_no_log(receiver: Receiver, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        send({"url": f"{receiver.url}/hidden"})
    assert receiver.posts[0].path.endswith("/hidden")
    assert "hidden" not in caplog.text


def test_what_an_answer_is_packed_with_does_not_matter(receiver: Receiver) -> None:
    receiver.status, receiver.headers, receiver.body = 200, {"content-encoding": "gzip"}, b"no gzip"
    send({"url": receiver.url})
    assert len(receiver.posts) == 1


def test_a_certificate_that_nobody_vouches_for_is_not_believed(tmp_path: Path) -> None:
    certificates = make_certificates(tmp_path)
    with Receiver(certificates) as receiver:
        with pytest.raises(DeliveryError, match="its certificate is not trusted"):
            send({"url": receiver.url})
        assert receiver.posts == []
        send({"url": receiver.url, "ca_cert": "ca.pem"}, tmp_path)
        assert len(receiver.posts) == 1


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"url": "https://me:hunter2@hooks.example.org/"}, "has a user name or password in it"),
        ({"url": "ftp://hooks.example.org/hunter2"}, "must be a URL of http or https"),
        ({"url": "https://hooks.example.org/hunter2#a"}, "must be a URL of http or https"),
        ({"url": "https:///hunter2"}, "must be a URL of http or https"),
        ({}, r"notify\.ops\.url must be"),
        ({"url": "https://h/", "secret": "hunter2"}, r'must be \{env = "NAME"\}'),
        ({"url": "https://h/", "secret": {"env": "NOT_SET"}}, "the variable NOT_SET is empty or not there"),
        ({"url": "https://h/", "secret": {"env": "SHORT"}}, "is not 24 to 64 bytes as base64"),
        ({"url": "https://h/", "secret": {"file": "/nonexistent/key"}}, "cannot be read"),
        ({"url": "https://h/", "secret": None}, "secret is missing"),
        ({"url": "https://h/", "unsigned": True}, "makes no sense with unsigned"),
        ({"url": "https://h/", "timeout": 0}, "must be from 1 to 60"),
        ({"url": "https://h/", "ca_cert": "/nonexistent/ca.pem"}, "ca_cert cannot be used"),
    ],
)
def test_settings_that_cannot_be_used_are_refused_without_quoting_secrets(
    monkeypatch: pytest.MonkeyPatch, settings: Mapping[str, Any], message: str
) -> None:
    monkeypatch.setenv("SHORT", "hunter2")
    with pytest.raises(SettingsError, match=message) as caught:
        send(settings)
    assert "hunter2" not in f"{caught.value}{caught.value.hint}{caught.value.data}"
