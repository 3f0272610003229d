"""``entrepot bundle``: what it prints, and how it ends."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from support.advisories import osv, package, write_zip
from support.program import Program


@pytest.fixture
def inside(tmp_path: Path, toy_plugin: Path) -> Program:
    """A workspace on the other side, with a distribution that nothing is in."""
    program = Program(tmp_path / "inside")
    program("init")
    program("repo", "create", "shop", "--format", "toy", "--publish-to", tmp_path / "inside-tree", "--no-sign")
    program("dist", "create", "shop/window")
    return program


def test_a_bundle_is_made_looked_at_and_applied(shop: Program, inside: Program, tmp_path: Path) -> None:
    shop("mirror", "box", "--to", "window", "--include", "robot", "--include", "battery")
    bundle = tmp_path / "carried"
    unsigned = shop("bundle", "create", bundle, "--from", "window", code=2)
    assert "shop signs nothing" in unsigned.stderr
    planned = shop("bundle", "create", bundle, "--from", "window", "--no-sign", "--dry-run")
    assert "3 packages, 3 of them in this bundle" in planned.stderr
    assert not bundle.exists()
    made = shop("bundle", "create", bundle, "--from", "window", "--no-sign")
    assert made.stdout == "carried\n"
    shown = inside("bundle", "show", bundle, "--packages").stdout
    assert "from:        shop/window version 1, toy" in shown
    assert "  robot 2 any\n" in shown
    assert json.loads(inside("bundle", "show", bundle, "--manifest").stdout)["entrepot_bundle"] == 1
    assert "there are no keys" in inside("bundle", "verify", bundle, code=2).stderr
    assert f"{bundle} is whole" in inside("bundle", "verify", bundle, "--no-verify").stdout
    to = ("--to", "window", "--no-verify")
    dry = inside("bundle", "apply", bundle, *to, "--dry-run")
    assert "the bundle is whole; of 3 packages would add 3, update 0 and remove 0" in dry.stderr
    applied = inside("bundle", "apply", bundle, *to)
    assert applied.stdout.count("published") == 3
    assert "shop/window version 1: 3 packages came, 0 went" in applied.stderr
    again = inside.json("bundle", "apply", bundle, *to)
    assert (again["status"], again["results"], again["source"]) == ("unchanged", [], "shop-window")
    (source,) = inside.json("source", "list")
    assert source["url"] == "bundle:shop-window"


def test_what_is_held_or_refused_here_says_so_each_time(shop: Program, inside: Program, tmp_path: Path) -> None:
    """The sender let them in; here the policy decides."""
    shop("mirror", "box", "--to", "window", code=3)
    for row in shop.json("review", "list"):
        shop("review", "approve", str(row["id"]), "--justification", "fine with us")
    bundle = tmp_path / "carried"
    shop("bundle", "create", bundle, "--from", "window", "--no-sign")
    held = inside("bundle", "apply", bundle, "--to", "window", "--no-verify", "--no-publish", code=4)
    assert "waits for review" in held.stdout
    assert "version 1 is made; publish it with `entrepot publish`" in held.stderr
    again = inside.json("bundle", "apply", bundle, "--to", "window", code=4)
    ((odd),) = again["results"]
    assert (odd["package"], odd["status"]) == ("odd", "pending_review")
    told = inside("review", "show", str(odd["import_id"])).stdout
    assert "the sender's toy-words, for information: review (said_review) it says review" in told


def test_sizes_of_pieces_have_units(shop: Program, tmp_path: Path) -> None:
    shop("mirror", "box", "--to", "window", "--include", "robot", "--include", "battery")
    arguments = ("bundle", "create", tmp_path / "carried", "--from", "window", "--no-sign", "--chunk-size")
    assert "is no size" in shop(*arguments, "large", code=2).stderr
    assert "at least 65536 bytes" in shop(*arguments, "1k", code=2).stderr
    assert shop(*arguments, "0.1M").stdout == "carried.001\ncarried.sha256\n"


def test_data_alone_is_applied_without_a_distribution(shop: Program, inside: Program, tmp_path: Path) -> None:
    records = write_zip(tmp_path / "osv.zip", [osv("CVE-2026-1", package("Debian:12", "hello"))])
    shop("advisories", "add", "debian", records, "--format", "osv")
    bundle = tmp_path / "data"
    shop("bundle", "create", bundle, "--from", "window", "--no-sign", "--no-packages", "--advisories", "all")
    planned = inside("bundle", "apply", bundle, "--no-verify", "--dry-run").stderr
    assert "advisories debian: 1 would come" in planned
    assert "the bundle is whole; it has no packages" in planned
    assert inside.json("advisories", "list") == []
    done = inside.json("bundle", "apply", bundle, "--no-verify")
    assert (done["status"], done["source"], done["advisories"]["debian"]["added"]) == ("changed", "shop-window-data", 1)
