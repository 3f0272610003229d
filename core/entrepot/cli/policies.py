"""``entrepot policy``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from entrepot.cli.app import HELD_FOR_REVIEW, App, json_option, pass_app

if TYPE_CHECKING:
    from entrepot.services.policies import PolicyTest

EXITS = {"publish": 0, "pending_review": HELD_FOR_REVIEW, "reject": 1}


@click.group("policy")
def command_policy() -> None:
    """What decides about packages that come in."""


@command_policy.command("list")
@json_option
@pass_app
def list_(app: App) -> None:
    """The policies, and which distributions have them."""
    from entrepot.services import policies

    rows = policies.policies(app.workspace)
    columns = [
        ("NAME", "name"),
        ("INHERITS", "inherits"),
        ("DEFAULT", "is_default"),
        ("DISTRIBUTIONS", "distributions"),
        ("DIGEST", "digest"),
    ]
    app.table(rows, columns, "there are none")


@command_policy.command("show")
@click.argument("name")
@json_option
@pass_app
def show(app: App, name: str) -> None:
    """Every rule of a policy, with the key of the settings that says it: maybe that of a policy it inherits from."""
    from entrepot.services import policies

    rules = [rule.as_json() for rule in policies.policy_rules(app.workspace.settings.policy(name))]
    app.table(rows=rules, columns=[("KEY", "key"), ("VALUE", "value"), ("SAID BY", "rule")], nothing="it says nothing")
    app.warn(policies.shortcomings(app.workspace, name))


@command_policy.command("test")
@click.argument("package", required=False, metavar="[PKG]")
@click.option("--policy", required=True, help="The policy that is asked.")
@click.option("--to", metavar="DIST", help="Where the package is, or waits to be; with --source: where it would go.")
@click.option("--source", help="Ask before it is fetched: the newest version that this source offers.")
@click.option("--import", "import_id", type=int, metavar="ID", help="Ask about this import.")
@json_option
@pass_app
def test(app: App, package: str | None, policy: str, to: str | None, source: str | None, import_id: int | None) -> None:
    """Show rule by rule what a policy would decide about a package, and why.

    What scanners said when it came in is taken as it is kept. Ends with 0 if it were published, 4 if it were held for
    review, 1 if it were rejected; the worst of several packages.
    """
    from entrepot.services import policies

    tests = policies.check(app.workspace, package, policy, to=to, source=source, import_id=import_id)
    print_tests(app, tests)
    outcomes = [item.decision.outcome.value for item in tests]
    worst = next((outcome for outcome in ("reject", "pending_review") if outcome in outcomes), "publish")
    raise click.exceptions.Exit(EXITS[worst])


def print_tests(app: App, tests: Sequence[PolicyTest]) -> None:
    """Every rule that applies, package by package."""
    documents = [item.as_json() for item in tests]
    lines = []
    for item in documents:
        lines.append(
            f"{item['package']} {item['version']} {item['architecture']}: {item['policy']} leads to {item['outcome']}"
        )
        for ruling in item["rulings"]:
            who = f"{ruling['scanner']} {ruling['status']}: " if ruling["scanner"] else ""
            lines.append(f"  {ruling['outcome']:14} {who}{ruling['message']} ({ruling['rule']})")
        lines += [f"  not known yet   {question}" for question in item["open_questions"]]
    app.result(documents, "\n".join(lines))
