"""``entrepot token`` and ``entrepot user`` on the command line."""

from __future__ import annotations

import json
from pathlib import Path

from entrepot.models import Role
from entrepot.services import identity
from support.program import Program


def test_a_token_is_shown_once(program: Program) -> None:
    secret = program("token", "create", "ci", "--role", "uploader").stdout.strip()
    assert secret.startswith(identity.TOKEN_PREFIX)
    listed = program("token", "list").stdout
    assert "ci" in listed
    assert secret not in listed + program("token", "list", "--json").stdout + program("audit", "list", "--json").stdout


def test_a_revoked_token_is_listed_as_such(program: Program) -> None:
    program("token", "create", "ci", "--role", "reader", "--expires-in-days", "3")
    program("token", "revoke", "ci")
    assert [row["state"] for row in json.loads(program("token", "list", "--json").stdout)] == ["revoked"]


def test_a_user_is_added_with_a_password_from_a_file(program: Program, tmp_path: Path) -> None:
    path = tmp_path / "password"
    path.write_text("correct horse\nanother line\n")
    program("user", "add", "kim", "--role", "reviewer", "--password-file", path)
    program("user", "set", "kim", "--role", "admin", "--disable")
    row = json.loads(program("user", "list", "--json").stdout)[0]
    assert (row["name"], row["role"], row["disabled"]) == ("kim", Role.ADMIN.value, True)
    program("user", "remove", "kim")
    assert json.loads(program("user", "list", "--json").stdout) == []
