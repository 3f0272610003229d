"""What a repository says of itself: the ready ``.sources`` file and the page for people."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Sequence
from typing import Any

import pytest

from entrepot.contracts import Signer, TreeFile, TreeTools
from entrepot.models import Distribution, Phase, Target
from entrepot_plugins.apt.client_setup import setup_steps
from entrepot_plugins.apt.tree import AptTree
from support.pages import Page
from support.signers import StampSigner
from support.views import NOW, a_distribution, a_repository, content

HOSTILE = "<script>alert(1)</script>&\"'"


def front(
    distributions: Sequence[Distribution], signer: Signer | None = None, **repository: Any
) -> dict[str, TreeFile]:
    def no_index(*_: object, **__: object) -> Any:
        raise AssertionError

    tools = TreeTools(no_index, signer, NOW)
    return {file.path: file for file in AptTree().front(a_repository(**repository), distributions, tools)}


def sources(distributions: Sequence[Distribution], signer: Signer | None = None, **repository: Any) -> str:
    return content(front(distributions, signer, **repository)["example.sources"]).decode()


def page(distributions: Sequence[Distribution], signer: Signer | None = None, **repository: Any) -> Page:
    return Page(content(front(distributions, signer, **repository)["index.html"]).decode())


def test_a_signed_repository_has_key_sources_and_page() -> None:
    files = front([a_distribution()], StampSigner())
    assert {path: file.content_type for path, file in files.items()} == {
        "example.asc": "application/pgp-keys",
        "example.sources": "text/plain; charset=utf-8",
        "index.html": "text/html; charset=utf-8",
    }
    assert content(files["example.asc"]) == StampSigner.public_key
    assert {file.phase for file in files.values()} == {Phase.INDEX}


def test_the_front_does_not_change_with_the_clock() -> None:
    page_now = content(front([a_distribution()], StampSigner())["index.html"])
    assert str(NOW.year).encode() not in page_now


def test_sources_have_a_stanza_for_each_distribution_with_the_key_in_it() -> None:
    text = sources([a_distribution("jammy", components=("main", "extra")), a_distribution("noble")], StampSigner())
    comments, *_ = text.partition("Types:")
    assert "Keep the stanza of your distribution" in comments
    first, second = text.removeprefix(comments).split("\n\n")
    assert "URIs: https://packages.example.org/\nSuites: jammy\nComponents: main extra\n" in first
    assert "Suites: noble\nComponents: main\n" in second
    for stanza in (first, second):
        key = stanza.partition("Signed-By:\n")[2].rstrip("\n").splitlines()
        assert all(line.startswith(" ") for line in key)
        restored = "".join(f"{'' if line == ' .' else line[1:]}\n" for line in key)
        assert restored.encode() == StampSigner.public_key


def test_sources_of_an_unsigned_repository_say_so() -> None:
    text = sources([a_distribution()])
    assert text.endswith("\nTrusted: yes\n")
    assert "not signed" in text
    assert "example.asc" not in front([a_distribution()])


@pytest.mark.parametrize(
    ("public_url", "publish_to", "uri"),
    [
        ("https://a.example.org", "s3://bucket", "https://a.example.org/"),
        ("http://a.example.org/x y/", "s3://bucket", "http://a.example.org/x%20y/"),
        ("", "file:///srv/a%20b", "file:///srv/a%20b/"),
    ],
)
def test_uris_are_how_clients_reach_the_tree(public_url: str, publish_to: str, uri: str) -> None:
    text = sources([a_distribution()], public_url=public_url, targets=(Target(1, publish_to),))
    assert f"\nURIs: {uri}\n" in text


def test_where_no_url_is_known_there_is_no_sources_file_and_the_page_says_what_to_put_in() -> None:
    files = front([a_distribution()], StampSigner(), public_url="", targets=(Target(1, "s3://bucket/tree"),))
    assert sorted(files) == ["example.asc", "index.html"]
    text = content(files["index.html"]).decode()
    assert "in place of" in text
    assert "s3://" not in text


def test_a_repository_without_distributions_has_a_page_all_the_same() -> None:
    files = front([], StampSigner())
    assert sorted(files) == ["example.asc", "index.html"]
    assert "nothing to install yet" in content(files["index.html"]).decode()


def test_source_packages_are_asked_for_where_they_are_declared() -> None:
    declared = a_distribution(architectures=("amd64", "source"))
    assert "Types: deb deb-src\n" in sources([declared])
    (command,) = [
        line
        for step in setup_steps(a_repository(), [declared], signed=False)
        for line in step.lines
        if line.startswith("printf")
    ]
    (told,) = re.findall(r"^(.*) \| sudo tee", command)
    place = "[trusted=yes] https://packages.example.org/ stable main"
    assert subprocess.check_output(["sh", "-c", told], text=True) == f"deb {place}\ndeb-src {place}\n"


def test_a_label_of_several_lines_cannot_add_a_field() -> None:
    text = sources([a_distribution()], label="a\nTypes: deb-src")
    assert text.splitlines()[0] == "# a Types: deb-src"


def test_the_page_gives_the_commands_that_set_a_client_up() -> None:
    commands = page([a_distribution()], StampSigner()).commands
    assert commands[:2] == [
        "sudo curl -fsSLo /etc/apt/sources.list.d/example.sources https://packages.example.org/example.sources",
        "sudo apt update",
    ]
    assert (
        "echo 'deb [signed-by=/etc/apt/keyrings/example.asc] https://packages.example.org/ stable main' "
        "| sudo tee /etc/apt/sources.list.d/example.list"
    ) in commands


@pytest.mark.parametrize("url", ["https://packages.example.org/", "https://example.org/a;b&$(x)/"])
@pytest.mark.parametrize("signer", [StampSigner(), None])
def test_the_commands_are_what_a_shell_can_read(url: str, signer: Signer | None) -> None:
    commands = page([a_distribution()], signer, public_url=url).commands
    subprocess.run(["sh", "-n"], input="\n".join(line for line in commands if " " in line), text=True, check=True)
    assert not any("; " in line.replace(f"'{url}", "") for line in commands)


def test_the_page_shows_the_fingerprint_in_groups() -> None:
    grouped = "0123 4567 89AB CDEF 0123 4567 89AB CDEF 0123 4567"
    assert grouped in page([a_distribution()], StampSigner()).commands


def test_the_page_of_an_unsigned_repository_warns() -> None:
    found = page([a_distribution()])
    assert "This repository is not signed." in found.texts["strong"]
    assert not any("signed-by" in line for line in found.commands)


def test_nothing_that_comes_from_outside_is_read_as_markup() -> None:
    distribution = a_distribution(HOSTILE, components=(HOSTILE,), architectures=(HOSTILE,))
    found = page([distribution], StampSigner(), name=HOSTILE, label=HOSTILE, origin=f"by {HOSTILE}")
    assert not found.having("script")
    assert HOSTILE in "".join(found.texts["h1"])


def test_the_page_needs_nothing_from_elsewhere() -> None:
    found = page([a_distribution()], StampSigner())
    assert not {"script", "link", "img", "iframe"} & {name for name, _ in found.elements}
    assert all("://" not in str(link["href"]) for link in found.having("a"))
    policies = [item["content"] for item in found.having("meta") if "http-equiv" in item]
    assert policies == ["default-src 'none'; style-src 'unsafe-inline'"]


def test_the_page_can_be_used_without_seeing_it() -> None:
    found = page([a_distribution()], StampSigner())
    assert found.having("html") == [{"lang": "en"}]
    assert found.texts["title"] == found.texts["h1"] == ["Example packages"]
    labels = {item["aria-labelledby"] for item in found.having("section")}
    assert labels == {item["id"] for item in found.having("h2")}
    assert {item["scope"] for item in found.having("th")} == {"row", "col"}
    assert all(item["tabindex"] == "0" for item in found.having("pre"))


def test_every_distribution_is_listed_with_a_link_to_what_is_signed() -> None:
    found = page([a_distribution("jammy"), a_distribution("stable/updates")], StampSigner())
    links = [item["href"] for item in found.having("a")]
    assert "dists/jammy/Release" in links
    assert "dists/stable/updates/Release" in links
