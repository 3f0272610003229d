"""``entrepot mirror``: what it prints, and how it ends."""

from __future__ import annotations

from support.program import Program
from support.toy import ToyUpstream


def test_a_mirror_says_what_came_and_ends_with_what_is_not_in(shop: Program, toys: ToyUpstream) -> None:
    done = shop("mirror", "box", "--to", "window", "--include", "robot", "--latest", "1", "--with-dependencies")
    assert "shop/window version 1: 2 packages came, 0 went" in done.stderr
    assert "published version 1" in done.stderr
    held = shop("mirror", "box", "--to", "window", "--exclude", "evil", "--no-publish", code=4)
    assert "waits for review" in held.stdout
    assert "version 2 is made; publish it with `entrepot publish`" in held.stderr
    refused = shop.json("mirror", "box", "--to", "window", code=1)
    assert [item["package"] for item in refused["results"]] == ["evil"]
    again = shop("mirror", "box", "--to", "window")
    assert "shop/window stays as it is" in again.stderr
    assert "left out as before: 1 that wait for review, 1 that the policy refused" in again.stderr
    (toys.root / "robot_2_any.toy").unlink()
    toys.lines["toys"].pop(1)
    toys.write()
    gone = shop("mirror", "box", "--to", "window", "--sync", "--exact", "--no-publish")
    assert "shop/window version 3: 0 packages came, 1 went" in gone.stderr


def test_a_dry_run_shows_what_would_come_and_go(shop: Program) -> None:
    shown = shop("mirror", "box", "--to", "window", "--where", "robot", "--dry-run")
    assert shown.stdout.splitlines()[0].split() == ["CHANGE", "PACKAGE", "ARCH", "BEFORE", "AFTER", "SIZE"]
    assert "of 2 packages would add 2, update 0 and remove 0" in shown.stderr
    assert (
        "nothing that is meant by: name = nobody"
        in shop("mirror", "box", "--to", "window", "--include", "nobody", "--dry-run").stderr
    )


def test_a_query_that_cannot_be_understood_is_a_wrong_usage(shop: Program) -> None:
    wrong = shop("mirror", "box", "--to", "window", "--where", "sectoin = net", code=2)
    assert wrong.stderr == "Error: column 1: there is no field 'sectoin'\nHint: did you mean section?\n"
    assert "cannot be read" in shop("mirror", "box", "--to", "window", "--where", "@nowhere.txt", code=2).stderr
