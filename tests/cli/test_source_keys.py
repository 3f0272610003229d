"""``source show`` lists the keys that a source is verified with."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from entrepot.cli.main import main
from support.apt_repository import Key, key_maker


@pytest.fixture(scope="module")
def keys() -> Iterator[list[Key]]:
    with key_maker() as make:
        yield [make("Good <good@example.org>"), make("Odd \x1b[31m <odd@example.org>", "rsa1024")]


def run(home: Path, *arguments: str) -> str:
    result = CliRunner().invoke(main, ["--home", str(home), *arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


@pytest.fixture(params=["apt", "rpm"])
def home(request: pytest.FixtureRequest, tmp_path: Path, keys: list[Key]) -> Path:
    keyring = tmp_path / "keys.asc"
    keyring.write_bytes(b"".join(key.armored for key in keys))
    run(tmp_path / "home", "init")
    distribution = ("--distribution", "stable") if request.param == "apt" else ()
    options = ("--format", request.param, "--keyring", str(keyring), *distribution)
    run(tmp_path / "home", "source", "add", "vendor", "https://example.org/x", *options)
    return tmp_path / "home"


def test_every_key_is_listed_with_its_state(home: Path, keys: list[Key]) -> None:
    document = json.loads(run(home, "source", "show", "vendor", "--json"))
    assert [(key["fingerprint"], key["state"]) for key in document["keys"]] == [
        (keys[0].fingerprint, "good"),
        (keys[1].fingerprint, "weak"),
    ]
    assert document["keys"][0]["user_ids"] == ["Good <good@example.org>"]
    text = run(home, "source", "show", "vendor")
    assert f"key {keys[0].fingerprint}: good; EdDSA Ed25519 256 bits, made 20" in text
    assert f"key {keys[1].fingerprint}: weak (is an RSA key of 1024 bits); RSA 1024 bits, made 20" in text
    assert "\x1b" not in text


def test_a_keyring_that_is_gone_is_told_and_the_rest_is_shown(home: Path) -> None:
    for path in (home / "keyrings").iterdir():
        path.unlink()
    document = json.loads(run(home, "source", "show", "vendor", "--json"))
    assert document["keyring_problem"] == "the keyring cannot be read: No such file or directory"
    assert document["url"].startswith("https://example.org/x")
    assert "keys" not in document
