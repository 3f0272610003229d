"""Fixtures that these tests share."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.program import Program, toy_plugin
from support.toy import ToyUpstream

__all__ = ["toy_plugin"]


@pytest.fixture
def toys(tmp_path: Path) -> ToyUpstream:
    """An upstream of toys: what passes, what is odd, what is evil."""
    upstream = ToyUpstream(tmp_path / "toys")
    upstream.add("robot", 1, summary="walks")
    upstream.add("robot", 2, summary="walks and talks", requires="battery")
    upstream.add("battery", 1)
    upstream.add("odd", 1, text="review")
    upstream.add("evil", 1, text="block")
    upstream.write()
    return upstream


@pytest.fixture
def program(tmp_path: Path, toy_plugin: Path) -> Program:
    """The program with an empty workspace and the toy plugin."""
    program = Program(tmp_path / "home")
    program("init")
    return program


@pytest.fixture
def shop(program: Program, toys: ToyUpstream, tmp_path: Path) -> Program:
    """A workspace that has synced the toys and has a distribution for them."""
    program("source", "add", "box", toys.root.as_uri(), "--format", "toy", "--no-verify")
    program("sync")
    program("repo", "create", "shop", "--format", "toy", "--publish-to", tmp_path / "tree", "--no-sign")
    program("dist", "create", "shop/window")
    return program
