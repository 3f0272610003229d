"""What an RPM repository says of itself: the ready ``.repo`` file and the page for people."""

from __future__ import annotations

import configparser
import subprocess
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

import pytest

from entrepot.contracts import Signer, TreeFile, TreeTools
from entrepot.errors import UsageError
from entrepot.models import Distribution, Phase
from entrepot_plugins.rpm.tree import RpmTree
from support.pages import Page
from support.rpm_views import a_rpm_distribution, a_rpm_repository
from support.signers import StampSigner
from support.views import NOW, content

HOSTILE = "<script>alert(1)</script>&\"'"


def front(
    distributions: Sequence[Distribution], signer: Signer | None = None, **repository: Any
) -> dict[str, TreeFile]:
    def no_index(*_: object, **__: object) -> Any:
        raise AssertionError

    tools = TreeTools(no_index, signer, NOW)
    return {file.path: file for file in RpmTree().front(a_rpm_repository(**repository), distributions, tools)}


def sections(distributions: Sequence[Distribution], signer: Signer | None = None, **repository: Any) -> dict[str, Any]:
    text = content(front(distributions, signer, **repository)["example.repo"]).decode()
    parser = configparser.ConfigParser(interpolation=None)
    parser.read_string(text)
    return {name: dict(parser[name]) for name in parser.sections()}


def page(distributions: Sequence[Distribution], signer: Signer | None = None, **repository: Any) -> Page:
    return Page(content(front(distributions, signer, **repository)["index.html"]).decode())


def test_a_signed_repository_has_key_repo_file_and_page() -> None:
    files = front([a_rpm_distribution()], StampSigner())
    assert {path: file.content_type for path, file in files.items()} == {
        "example.asc": "application/pgp-keys",
        "example.repo": "text/plain; charset=utf-8",
        "index.html": "text/html; charset=utf-8",
    }
    assert content(files["example.asc"]) == StampSigner.public_key
    assert {file.phase for file in files.values()} == {Phase.INDEX}


def test_clients_check_our_signature_of_repomd_and_leave_upstreams_of_packages() -> None:
    assert sections([a_rpm_distribution()], StampSigner()) == {
        "example-el9-x86_64": {
            "name": "Example packages - el9/x86_64",
            "baseurl": "https://packages.example.org/el9/x86_64/",
            "enabled": "1",
            "repo_gpgcheck": "1",
            "gpgcheck": "0",
            "gpgkey": "https://packages.example.org/example.asc",
        }
    }


def test_clients_check_packages_too_where_they_are_told_to() -> None:
    key = "https://keys.example.org/upstream.asc file:///etc/pki/rpm-gpg/KEY"
    options = {"gpgcheck": True, "gpgkey": key}
    section = sections([a_rpm_distribution(options=options)], StampSigner())["example-el9-x86_64"]
    assert section["gpgcheck"] == "1"
    assert section["gpgkey"] == f"https://packages.example.org/example.asc {key}"


def test_packages_that_are_checked_in_an_unsigned_repository_need_a_key() -> None:
    with pytest.raises(UsageError, match="names no key"):
        front([a_rpm_distribution(options={"gpgcheck": True})])


@pytest.mark.parametrize("key", ["/etc/pki/key", "ftp://example.org/key", "https://e.example.org/\x1b[m", "key"])
def test_a_key_that_no_client_could_fetch_is_refused(key: str) -> None:
    with pytest.raises(UsageError, match="option gpgkey of example/el9/x86_64"):
        front([a_rpm_distribution(options={"gpgcheck": True, "gpgkey": key})], StampSigner())


def test_an_unsigned_repository_says_so_and_names_no_key() -> None:
    files = front([a_rpm_distribution()])
    assert "example.asc" not in files
    assert "not signed" in content(files["example.repo"]).decode()
    section = sections([a_rpm_distribution()])["example-el9-x86_64"]
    assert (section["repo_gpgcheck"], section["gpgcheck"], "gpgkey" in section) == ("0", "0", False)


def test_indexes_of_an_upstream_that_signs_nothing_are_told_even_where_the_rest_is_signed() -> None:
    bare = front([a_rpm_distribution(options={"verbatim": True})], StampSigner())
    assert "not signed" in content(bare["example.repo"]).decode()
    options = {"verbatim": True, "gpgcheck": True, "gpgkey": "https://example.org/key"}
    assert "not signed" not in content(front([a_rpm_distribution(options=options)])["example.repo"]).decode()


def test_every_distribution_has_a_section_of_its_own_name() -> None:
    names = ["el9/x86_64", "el9/aarch64", "el9-x86_64", "a+b", "a~b"]
    found = sections([a_rpm_distribution(name) for name in names], StampSigner())
    assert list(found) == [
        "example-el9-x86_64",
        "example-el9-aarch64",
        "example-el9-x86_64-2",
        "example-a-b",
        "example-a-b-2",
    ]
    assert [item["baseurl"] for item in found.values()] == [
        f"https://packages.example.org/{quote(name)}/" for name in names
    ]


@pytest.mark.parametrize(
    ("public_url", "expected"),
    [
        ("https://a.example.org", "https://a.example.org/"),
        ("http://a.example.org/x y/", "http://a.example.org/x%20y/"),
        ("http://a.example.org/$basearch,b", "http://a.example.org/%24basearch%2Cb/"),
        ("file:///srv/a%20b", "file:///srv/a%20b/"),
    ],
)
def test_the_url_is_how_clients_reach_the_tree(public_url: str, expected: str) -> None:
    section = sections([a_rpm_distribution()], StampSigner(), public_url=public_url)["example-el9-x86_64"]
    assert section["baseurl"] == f"{expected}el9/x86_64/"
    assert section["gpgkey"] == f"{expected}example.asc"


def test_where_no_url_is_known_there_is_no_repo_file_and_the_page_has_its_text() -> None:
    files = front([a_rpm_distribution()], StampSigner(), public_url="s3://bucket/tree")
    assert sorted(files) == ["example.asc", "index.html"]
    text = content(files["index.html"]).decode()
    assert "in place of" in text
    assert "s3://" not in text
    assert "baseurl=https://address.of.this.page/el9/x86_64/" in Page(text).commands


def test_a_repository_without_distributions_has_a_page_all_the_same() -> None:
    files = front([], StampSigner())
    assert sorted(files) == ["example.asc", "index.html"]
    assert "nothing to install yet" in content(files["index.html"]).decode()


def test_a_label_of_several_lines_cannot_add_a_setting() -> None:
    found = sections([a_rpm_distribution()], label="a\ngpgcheck=0\n[evil]")
    assert list(found) == ["example-el9-x86_64"]
    assert found["example-el9-x86_64"]["name"] == "a gpgcheck=0 [evil] - el9/x86_64"


def test_the_page_gives_the_commands_that_set_a_client_up() -> None:
    assert page([a_rpm_distribution()], StampSigner()).commands[:4] == [
        "sudo curl -fsSLo /etc/yum.repos.d/example.repo https://packages.example.org/example.repo",
        "sudo dnf makecache",
        "sudo zypper addrepo https://packages.example.org/example.repo",
        "sudo zypper refresh",
    ]


@pytest.mark.parametrize("url", ["https://packages.example.org/", "https://example.org/a;b&$(x)/"])
def test_the_commands_are_what_a_shell_can_read(url: str) -> None:
    commands = [line for line in page([a_rpm_distribution()], public_url=url).commands if line.startswith("sudo ")]
    subprocess.run(["sh", "-n"], input="\n".join(commands), text=True, check=True)
    assert not any("; " in line.replace(f"'{url}", "") for line in commands)


def test_nothing_that_comes_from_outside_is_read_as_markup() -> None:
    distribution = a_rpm_distribution(HOSTILE, architectures=(HOSTILE,))
    for url in ("https://packages.example.org/", "s3://bucket"):
        found = page([distribution], StampSigner(), name=HOSTILE, label=HOSTILE, origin=HOSTILE, public_url=url)
        assert not found.having("script")
        assert HOSTILE in "".join(found.texts["h1"])


def test_every_distribution_is_listed_with_a_link_to_what_is_signed() -> None:
    found = page([a_rpm_distribution(), a_rpm_distribution("f42", architectures=("x86_64",))], StampSigner())
    links = [item["href"] for item in found.having("a")]
    assert "el9/x86_64/repodata/repomd.xml" in links
    assert "f42/repodata/repomd.xml" in links
    assert "Keep the one that is meant for your system" in "".join(found.texts["p"])
