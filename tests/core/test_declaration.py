"""What a declaration may say, and how a mistake in one is told."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from entrepot.declaration import armored, parse_declaration, read_declaration
from entrepot.declaration.writing import edited_settings
from entrepot.declaration.yaml_text import load_yaml
from entrepot.errors import SettingsError

KEY = "-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nmDME\n-----END PGP PUBLIC KEY BLOCK-----\n"

FULL_YAML = """
policies:
  prod: {inherits: strict}
schedule:
  nightly: {run: scan, at: 12:30}
settings:
  publish:
    grace_days: 3
sources:
  debian:
    format: apt
    url: https://mirror.example.org/debian
    distributions: trixie
    architectures: [amd64]
    keyring: keys.asc
    connection: {retries: 2, ca_cert: ca.pem}
    secrets:
      username: bob
      password: {env: WORD}
      headers: {X-Token: {file: token}}
repositories:
  apt:
    format: apt
    publish_to: tree
    distributions:
      stable/main: {keep: 2, options: {not_automatic: true}}
"""

FULL_TOML = """
[policies.prod]
inherits = "strict"
[schedule.nightly]
run = "scan"
at = "12:30"
[settings.publish]
grace_days = 3
[sources.debian]
format = "apt"
url = "https://mirror.example.org/debian"
distributions = ["trixie"]
architectures = "amd64"
keyring = "keys.asc"
connection = {retries = 2, ca_cert = "ca.pem"}
[sources.debian.secrets]
username = "bob"
password.env = "WORD"
headers.X-Token.file = "token"
[repositories.apt]
format = "apt"
publish_to = ["tree"]
[repositories.apt.distributions."stable/main"]
keep = 2
options.not_automatic = true
"""


def test_both_forms_say_the_same_and_paths_start_where_the_file_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORD", "s3cret")
    (tmp_path / "keys.asc").write_text(KEY)
    (tmp_path / "token").write_text("t0ken\n")
    found = []
    for name, text in (("entrepot.yaml", FULL_YAML), ("entrepot.toml", FULL_TOML)):
        (tmp_path / name).write_text(text)
        found.append(read_declaration(tmp_path / name))
    from_yaml, from_toml = found
    assert from_yaml.sources == from_toml.sources
    assert from_yaml.repositories == from_toml.repositories
    assert from_yaml.settings == from_toml.settings
    draft = from_yaml.sources["debian"].draft
    assert draft.keyring == KEY.encode()
    assert draft.connection.ca_cert == str(tmp_path / "ca.pem")
    assert (draft.secrets.password, draft.secrets.headers) == ("s3cret", (("X-Token", "t0ken"),))
    assert from_yaml.repositories["apt"].publish_to == (str(tmp_path / "tree"),)
    assert from_yaml.settings["schedule"]["nightly"]["at"] == "12:30"
    assert "s3cret" not in repr(from_yaml)


SOURCE = "sources:\n  a:\n    format: apt\n    url: https://mirror.example.org/\n"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("source: {}", "1: source is not known; known are policies"),
        ("sources: []", "1: sources must be a table"),
        ("sources:\n  a: {format: apt}", "2: sources.a.url is missing"),
        (SOURCE + "    colour: red", "5: sources.a.colour is not known"),
        (SOURCE + "    verify: no", "5: sources.a.verify must be true or false, not a text"),
        (SOURCE + "    architectures: [amd64,\n      386]", "6: sources.a.architectures[1] must be a text"),
        (SOURCE + "    options: {sources: [1]}", "5: sources.a.options.sources must be a text"),
        (SOURCE + "    keyring: nowhere.asc", "5: sources.a.keyring cannot be read"),
        (SOURCE + '    keyring: "-----BEGIN PGP PRIVATE KEY BLOCK-----"', "5: sources.a.keyring is a secret key"),
        (
            SOURCE + "    connection: {retries: 99}",
            "5: sources.a.connection.retries must be a whole number from 0 to 20",
        ),
        (SOURCE + "    connection: {proxy: 'http://u:s3cret@proxy'}", "5: sources.a.connection.proxy has a user name"),
        (SOURCE + "    secrets:\n      password: s3cret", "6: sources.a.secrets.password is a secret"),
        (SOURCE + "    secrets:\n      headers:\n        X: s3cret", "7: sources.a.secrets.headers.X is a secret"),
        (SOURCE + "    secrets: {password: {vault: x}}", "5: sources.a.secrets.password.vault is not known"),
        (SOURCE + "    secrets: {password: {}}", "5: sources.a.secrets.password wants env or file"),
        (
            SOURCE + "    secrets: {password: {env: NO_SUCH_THING}}",
            "5: sources.a.secrets.password.env leads nowhere: the",
        ),
        (SOURCE + "    secrets: {password: {file: nowhere}}", "5: sources.a.secrets.password.file leads nowhere: /"),
        (
            "sources:\n  a:\n    format: apt\n    url: https://u:s3cret@mirror.example.org/",
            "4: sources.a.url has a user",
        ),
        ("sources:\n  a: {format: apt, url: 'http://[::1'}", "2: sources.a.url is no URL"),
        ("repositories:\n  r: {format: apt}", "2: repositories.r.publish_to has to name a folder"),
        (
            "repositories:\n  r:\n    format: apt\n    publish_to: x\n    sign: false\n    sign_with: ABC",
            "6: repositories.r.sign_with does not go with sign = false",
        ),
        (
            "repositories:\n  r:\n    format: apt\n    publish_to: x\n    distributions:\n      d: {keep: -1}",
            "6: repositories.r.distributions.d.keep must be a whole number from 0",
        ),
        ("settings:\n  policies: {}", "2: settings.policies stands at the top"),
        ("settings:\n  scanners:\n    av:\n      api_token: s3cret", "4: settings.scanners.av.api_token is a secret"),
        ("policies:\n  p: soft", "2: policies.p must be a table"),
    ],
)
def test_a_mistake_is_told_with_file_line_and_key_and_never_with_a_secret(text: str, told: str) -> None:
    with pytest.raises(SettingsError) as raised:
        parse_declaration(text, Path("entrepot.yaml"))
    assert told in str(raised.value)
    assert str(raised.value).startswith("entrepot.yaml:")
    assert "s3cret" not in str(raised.value) + json.dumps(raised.value.data) + raised.value.hint


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a: 1\na: 2", "line 2: a is there twice"),
        ("a: &x {b: 1}\nc: *x", "references are not read"),
        ("a: !!python/object/apply:os.getcwd []", "line 1: the tag"),
        ("a:", "line 1: nothing is said here"),
        ("9: x", "line 1: a key has to be text"),
        ("a: [", "line 1"),
        ("[" * 3000, "recursion"),
        ("--- 1\n--- 2", "single document"),
    ],
    ids=range(8),
)
def test_yaml_that_does_not_say_what_it_means_is_refused(text: str, told: str) -> None:
    with pytest.raises(SettingsError, match=told):
        parse_declaration(text, Path("entrepot.yaml"))


@pytest.mark.parametrize("text", ["12:30", "no", "on", "1_000", "0x1f", "2026-01-01", "1e3", "007", "=", ".5"])
def test_plain_words_of_yaml_are_text_unless_yaml_1_2_says_otherwise(text: str) -> None:
    assert load_yaml(f"a: {text}") == {"a": text}


def test_what_is_too_large_is_not_parsed() -> None:
    with pytest.raises(SettingsError, match="more than 4 MiB"):
        parse_declaration("#" * (5 << 20), Path("entrepot.toml"))


def test_settings_are_changed_in_place_and_comments_stay() -> None:
    text = '# ours\n[policies.a]  # first\ninherits = "soft"\n[publish]\nwait = 3  # seconds\n'
    wanted = {"policies": {"a": {"inherits": "soft"}, "b": {"inherits": "a"}}, "publish": {"wait": 5}}
    changed = edited_settings(text, wanted)
    assert "# ours" in changed
    assert "# first" in changed
    assert "wait = 5  # seconds" in changed
    reordered = edited_settings(changed, {"policies": {"b": {}, "a": {"inherits": "b"}}})
    assert reordered.index("policies.b") < reordered.index("policies.a")


def test_binary_keys_are_written_as_text_and_armored_ones_as_they_are() -> None:
    assert armored(KEY.encode()) == KEY
    assert armored(KEY.replace("\n", "  \r\n").encode()) == KEY
    assert armored(b"\x98\x33\x04") == KEY.replace("mDME", "mDME")
