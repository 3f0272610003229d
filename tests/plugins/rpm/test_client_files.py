"""Reading what dnf is configured with."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from entrepot.errors import UsageError
from entrepot.models import Connection, Scalar, Secrets, SourceDraft
from entrepot_plugins.rpm.client_files import RpmClientFiles
from entrepot_plugins.shared.openpgp import dearmor
from support.apt_repository import Key, key_maker
from support.corpus import corpus


@pytest.fixture(scope="module")
def key() -> Iterator[Key]:
    with key_maker() as make:
        yield make("Builder <builder@example.org>")


def read(text: str, **options: Scalar) -> Sequence[SourceDraft]:
    return RpmClientFiles().read(text, Path("x.repo"), options)


def one(text: str, **options: Scalar) -> SourceDraft:
    (draft,) = read(text, **options)
    return draft


def test_a_section_becomes_a_source(tmp_path: Path, key: Key) -> None:
    (tmp_path / "KEY").write_bytes(key.armored)
    found = one(
        f"""
        # a comment
        [epel]
        name=Extra Packages $releasever
        baseurl=https://mirror.example.org/epel/$releasever/${{basearch}}/
        gpgcheck=1
        enabled=1
        gpgkey=file://{tmp_path}/KEY
        """.replace("\n        ", "\n"),
        releasever="9",
        basearch="x86_64",
    )
    assert found == SourceDraft(
        name="epel",
        format="rpm",
        url="https://mirror.example.org/epel/9/x86_64/",
        verify=True,
        keyring=key.public,
        options={"releasever": "9", "basearch": "x86_64"},
    )


def test_disabled_sections_and_main_are_left_out() -> None:
    text = "[main]\ngpgcheck=0\n[a]\nbaseurl=http://a.example.org/\n[b]\nbaseurl=http://b.example.org/\nenabled=0\n"
    assert [(draft.name, draft.verify) for draft in read(text)] == [("a", False)]


@pytest.mark.parametrize(
    ("lines", "url", "options"),
    [
        ("metalink=https://m.example.org/metalink?repo=x", "https://m.example.org/metalink?repo=x", {"metalink": True}),
        ("mirrorlist=https://m.example.org/list", "https://m.example.org/list", {"mirrorlist": True}),
        ("mirrorlist=https://m.example.org/metalink?x", "https://m.example.org/metalink?x", {"metalink": True}),
        (
            "mirrorlist=https://m.example.org/list\nbaseurl=http://a.example.org/",
            "https://m.example.org/list",
            {"mirrorlist": True, "mirrors": "http://a.example.org/"},
        ),
        (
            "baseurl=http://a.example.org/x\n        http://b.example.org/x,\n\thttp://c.example.org/x",
            "http://a.example.org/x",
            {"mirrors": "http://b.example.org/x http://c.example.org/x"},
        ),
        ("baseurl=http://a.example.org/\nrepo_gpgcheck=1", "http://a.example.org/", {"repo_gpgcheck": True}),
    ],
)
def test_mirrors_come_in_several_forms(lines: str, url: str, options: dict[str, Scalar]) -> None:
    found = one(f"[x]\n{lines}\n")
    assert (found.url, dict(found.options)) == (url, options)


@pytest.mark.parametrize(
    ("lines", "verify"),
    [("", True), ("gpgcheck=1", True), ("gpgcheck=no", False), ("gpgcheck=0\nrepo_gpgcheck=1", True)],
)
def test_signatures_are_checked_unless_the_file_says_otherwise(lines: str, verify: bool) -> None:
    assert one(f"[x]\nbaseurl=http://a.example.org/\n{lines}\n").verify is verify


def test_several_keys_are_one_keyring(tmp_path: Path, key: Key) -> None:
    for name in ("one", "two"):
        (tmp_path / name).write_bytes(key.armored)
    keys = f"gpgkey=file://{tmp_path}/one\n    {tmp_path}/two"
    found = one(f"[x]\nbaseurl=http://a.example.org/\n{keys}\n")
    assert found.keyring == key.public * 2
    assert dearmor(found.keyring or b"")


@pytest.mark.parametrize("url", ["https://a.example.org/KEY", "file:///not/there", "file:///not/there https://x/KEY"])
def test_keys_that_are_elsewhere_are_left_to_a_person(url: str) -> None:
    found = one(f"[x]\nbaseurl=http://a.example.org/\ngpgkey={url}\n")
    assert found.verify
    assert found.keyring is None


def test_a_file_that_holds_no_key_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "KEY").write_text("hello")
    with pytest.raises(UsageError, match=r"x\.repo, \[x\]: the key file:.* holds no OpenPGP public key"):
        one(f"[x]\nbaseurl=http://a.example.org/\ngpgkey=file://{tmp_path}/KEY\n")


def test_how_the_server_is_reached_is_taken_over() -> None:
    found = one(
        "[x]\nbaseurl=https://a.example.org/\nsslcacert=/ca.pem\nsslclientcert=/cert.pem\nsslclientkey=/key.pem\n"
        "proxy=http://proxy.example.org:3128\nproxy_username=me\nproxy_password=p@ss\nusername=user\npassword=a%b$c\n"
    )
    assert found.connection == Connection(
        ca_cert="/ca.pem",
        client_cert="/cert.pem",
        client_key="/key.pem",
        proxy="http://me:p%40ss@proxy.example.org:3128",
    )
    assert found.secrets == Secrets("user", "a%b$c")


def test_a_password_in_the_url_is_a_secret() -> None:
    found = one("[x]\nbaseurl=https://user:word@a.example.org/\n")
    assert found.url == "https://a.example.org/"
    assert found.secrets == Secrets("user", "word")


def test_a_proxy_that_is_switched_off_is_none() -> None:
    assert one("[x]\nbaseurl=http://a.example.org/\nproxy=_none_\n").connection.proxy is None


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ("name=x", "neither baseurl nor mirrorlist nor metalink"),
        ("baseurl=ftp://a.example.org/", "is not a URL that can be read"),
        ("baseurl=http://a.example.org/$releasever/", r"baseurl: \$releasever has no value"),
        ("baseurl=http://a.example.org/$stream/", r"\$stream has no value"),
        ("baseurl=http://a.example.org/\nenabled=maybe", "enabled is 'maybe', neither yes nor no"),
        ("baseurl=http://a.example.org/\nsslverify=0", "sslverify=0"),
        ("baseurl=http://a.example.org/\ntype=yast2", "its type is 'yast2'"),
    ],
)
def test_what_cannot_be_read_names_file_and_section(lines: str, message: str) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        read(f"[x]\n{lines}\n")
    assert caught.value.message.startswith("x.repo, [x]: ")


def test_a_missing_variable_says_which_option_gives_it() -> None:
    with pytest.raises(UsageError) as caught:
        read("[x]\nbaseurl=http://a.example.org/$arch/\n")
    assert caught.value.hint == "give it with --basearch"


@pytest.mark.parametrize("text", ["baseurl=http://a.example.org/\n", "[x]\nwhat is this\n", "[x\n"])
def test_what_is_no_repo_file_is_an_error(text: str) -> None:
    with pytest.raises(UsageError, match=r"^x\.repo: "):
        read(text)


def test_names_are_made_such_as_sources_may_have() -> None:
    text = "".join(f"[{name}]\nbaseurl=http://a.example.org/\n" for name in ("a b/c", "a b:c", "copr:x:y", "--"))
    assert [draft.name for draft in read(text)] == ["a-b-c", "a-b-c-2", "copr-x-y", "rpm"]


@pytest.mark.corpus
def test_real_repo_files_are_read() -> None:
    folder = corpus("repodata", "librepo", "c_tests")
    for path in sorted(folder.glob("*.repo")):
        assert RpmClientFiles().read(path.read_text(), path, {"releasever": "9", "basearch": "x86_64"})
