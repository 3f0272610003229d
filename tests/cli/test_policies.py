"""``entrepot policy`` and what ``import --dry-run`` says of the decision to come."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.program import Program

SETTINGS = """
[policies.prod]
inherits = "soft"
max_size = "1 MB"
deny = [
    { package = "battery", reason = "not in here" },
    { licence = "*AGPL*" },
]
[policies.prod.toy-words]
review = "reject"
"""


@pytest.fixture
def counter(shop: Program) -> Program:
    """The shop with the policy ``prod``."""
    (shop.home / "entrepot.toml").write_text(SETTINGS)
    return shop


def test_every_policy_is_listed_with_who_has_it(counter: Program) -> None:
    rows = counter.json("policy", "list")
    assert [(row["name"], row["inherits"], row["is_default"], row["distributions"]) for row in rows] == [
        ("prod", "soft", False, []),
        ("soft", "", True, ["shop/window"]),
        ("strict", "", False, []),
    ]


def test_a_policy_is_shown_with_whose_table_says_what(counter: Program) -> None:
    rules = {row["key"]: (row["value"], row["rule"]) for row in counter.json("policy", "show", "prod")}
    assert rules["toy-words.review"] == ("reject", "policies.prod.toy-words.review")
    assert rules["block"] == ("reject", "policies.soft.block")
    assert rules["vulnerabilities.block"] == ("critical", "policies.soft.vulnerabilities.block")
    assert rules["deny"] == ("licence '*AGPL*' leads to reject", "policies.prod.deny[1]")
    assert rules["max_size"] == ("1000000", "policies.prod.max_size")
    assert "policies.prod.toy-words.review" in counter("policy", "show", "prod").stdout


def test_a_policy_that_is_not_there_is_named_with_those_that_are(counter: Program) -> None:
    assert "known policies: prod, soft, strict" in counter("policy", "show", "lenient", code=2).stderr


def test_an_import_is_tried_with_another_policy_rule_by_rule(counter: Program) -> None:
    counter("import", "box", "odd", "--to", "window", code=4)
    (document,) = counter.json("policy", "test", "--import", "1", "--policy", "prod", code=1)
    assert (document["package"], document["outcome"]) == ("odd", "reject")
    first = document["rulings"][0]
    assert (first["rule"], first["scanner"], first["outcome"]) == (
        "policies.prod.toy-words.review",
        "toy-words",
        "reject",
    )
    text = counter("policy", "test", "odd", "--to", "window", "--policy", "soft", code=4).stdout
    assert text.startswith("odd 1 any: soft leads to pending_review\n  pending_review toy-words review: ")


def test_a_package_that_is_in_is_tried_by_the_verdicts_that_are_kept(counter: Program) -> None:
    counter("import", "box", "robot", "--to", "window")
    (document,) = counter.json("policy", "test", "robot", "--to", "window", "--policy", "prod")
    assert (document["version"], document["outcome"], document["open_questions"]) == ("2", "publish", [])
    counter("policy", "test", "robot=1", "--to", "window", "--policy", "prod", code=1)


def test_before_a_package_is_fetched_only_what_its_index_says_is_asked(counter: Program) -> None:
    (denied,) = counter.json("policy", "test", "battery", "--source", "box", "--policy", "prod", code=1)
    assert denied["reasons"] == [
        "it is on the deny-list by package 'battery': not in here: leads to reject (policies.prod.deny[0])"
    ]
    (robot,) = counter.json("policy", "test", "robot", "--source", "box", "--policy", "prod")
    assert (robot["version"], robot["outcome"]) == ("2", "publish")
    assert "toy-words: not asked before the package is here" in robot["open_questions"]
    assert "policies.prod.deny[1]: licence '*AGPL*' is asked of the package itself" in robot["open_questions"]


def test_where_a_package_is_need_not_be_said(counter: Program) -> None:
    (offered,) = counter.json("policy", "test", "robot", "--policy", "prod")
    assert (offered["source"], offered["version"]) == ("box", "2")
    assert offered["open_questions"]
    counter("import", "box", "robot", "--to", "window")
    (here,) = counter.json("policy", "test", "robot", "--policy", "prod")
    assert (here["version"], here["open_questions"]) == ("2", [])
    counter("policy", "test", "nowhere", "--policy", "prod", code=1)


@pytest.mark.parametrize("arguments", [(), ("robot", "--import", "1"), ("--import", "1", "--to", "window")])
def test_what_is_asked_about_has_to_be_clear(counter: Program, arguments: tuple[str, ...]) -> None:
    counter("policy", "test", *arguments, "--policy", "prod", code=2)


def test_a_dry_run_says_what_the_policy_would_decide_as_far_as_is_known(counter: Program) -> None:
    counter("dist", "set", "shop/window", "--policy", "prod")
    arguments = ("import", "box", "robot", "battery", "--to", "window", "--dry-run")
    document = counter.json(*arguments)
    assert {test["package"]: test["outcome"] for test in document["policy"]} == {
        "robot": "publish",
        "battery": "reject",
    }
    result = counter(*arguments)
    assert "it is on the deny-list by package 'battery': not in here" in result.stdout
    assert "not known yet: toy-words: not asked before the package is here" in result.stderr
    assert counter.json("review", "list") == []


def test_a_dry_run_asks_no_scanner_that_the_settings_skip(counter: Program) -> None:
    skip = '[policies.prod.signature]\nblock = "reject"\n[inspection]\nskip = ["toy-words", "signature"]\n'
    (counter.home / "entrepot.toml").write_text(SETTINGS + skip)
    counter("dist", "set", "shop/window", "--policy", "prod")
    arguments = ("import", "box", "robot", "--to", "window")
    (foreseen,) = counter.json(*arguments, "--dry-run")["policy"]
    assert not any(question.startswith(("toy-words:", "signature:")) for question in foreseen["open_questions"])
    (done,) = counter.json(*arguments, code=4)["results"]
    assert (foreseen["outcome"], done["status"]) == ("pending_review", "pending_review")
    absent = [ruling["scanner"] for ruling in foreseen["rulings"] if ruling["status"] == "absent"]
    assert absent == ["signature", "toy-words"]
    assert foreseen["reasons"] == done["reasons"]


@pytest.fixture
def unarmed(counter: Program, tmp_path: Path) -> Program:
    """The same, where there is no ClamAV whatever this machine has; a distribution is strict."""
    table = f'[scanners.clamav]\nconfig = "{tmp_path}/none.conf"\nclamscan = "{tmp_path}/none"\n'
    (counter.home / "entrepot.toml").write_text(SETTINGS + table)
    counter("dist", "create", "shop/safe", "--policy", "strict")
    return counter


NOT_SET_UP = "Warning: scanner clamav is not set up, so by policy strict all leads to pending_review. "
NO_DATA = "all leads to pending_review. No vulnerability data is loaded"


def test_a_policy_that_holds_everything_because_nobody_set_up_a_scanner_says_so_at_once(unarmed: Program) -> None:
    said = unarmed("policy", "show", "strict").stderr
    assert NOT_SET_UP in said
    assert NO_DATA in said
    assert NOT_SET_UP in unarmed("dist", "create", "shop/vault", "--policy", "strict").stderr
    assert NOT_SET_UP in unarmed("dist", "set", "shop/window", "--policy", "strict").stderr
    said = unarmed("import", "box", "robot=1", "robot=2", "--to", "shop/safe", code=4).stderr
    assert said.count(NOT_SET_UP) == 1
    assert "install clamav-daemon" in said
    assert NOT_SET_UP in unarmed("import", "box", "robot", "--to", "shop/safe", "--dry-run").stderr
    for command in (["policy", "show", "prod"], ["dist", "set", "shop/window", "--policy", "soft"]):
        assert "clamav" not in unarmed(*command).stderr


def test_a_scanner_that_a_policy_asks_for_and_that_is_left_out_is_told(unarmed: Program) -> None:
    settings = unarmed.home / "entrepot.toml"
    settings.write_text(settings.read_text() + '[inspection]\nskip = ["clamav"]\n[policies.prod.clamav]\n')
    assert "clamav" not in unarmed("policy", "show", "strict").stderr
    assert "policy prod asks for scanner clamav, which is not asked here" in unarmed("policy", "show", "prod").stderr


def test_an_import_is_shown_by_names(counter: Program) -> None:
    counter("import", "box", "odd", "--to", "shop/window", code=4)
    lines = counter("review", "show", "1").stdout.splitlines()
    assert lines[:3] == [
        "package:       odd 1 any",
        "distribution:  shop/window, component main",
        "state:         pending_review",
    ]
    assert "from source box, on" in lines[4]
    assert not [line for line in lines if line.startswith(("source id", "package id", "task id"))]
