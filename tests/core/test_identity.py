"""Tokens and users: what is kept of them, what they may do, when they end."""

from __future__ import annotations

import datetime as dt
import sqlite3
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from entrepot.errors import AuthenticationError, ConflictError, NotAllowedError, NotFoundError, UsageError
from entrepot.models import Identity, Role
from entrepot.services import identity, operations, permissions
from entrepot.workspace import Workspace
from support.workspaces import Clock, Depot

PASSWORD = "correct horse battery"


@pytest.fixture(autouse=True)
def hashing_is_quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(identity, "SCRYPT_N", 16)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def workspace(tmp_path: Path, clock: Clock) -> Iterator[Workspace]:
    workspace = Workspace(tmp_path / "home", actor="tester", clock=clock)
    workspace.create()
    yield workspace
    workspace.close()


def token(workspace: Workspace, name: str = "ci", role: Role = Role.UPLOADER, days: int | None = None) -> str:
    return identity.create_token(workspace, name, role, expires_in_days=days).secret


def everything_in(home: Path) -> bytes:
    return b"".join(path.read_bytes() for path in home.rglob("*") if path.is_file())


def test_a_token_says_who_shows_it(workspace: Workspace) -> None:
    who = identity.authenticate(workspace, token(workspace))
    assert (who.name, who.role, who.distributions) == ("ci", Role.UPLOADER, ())


def test_nothing_in_the_workspace_holds_a_token_or_a_password(workspace: Workspace, tmp_path: Path) -> None:
    secret = token(workspace)
    identity.add_user(workspace, "kim", PASSWORD, Role.READER)
    identity.set_user(workspace, "kim", password=PASSWORD + "2")
    kept = everything_in(tmp_path / "home")
    assert b"ci" in kept
    assert secret.encode() not in kept
    assert secret.removeprefix(identity.TOKEN_PREFIX).encode() not in kept
    assert PASSWORD.encode() not in kept


def test_the_catalog_has_nothing_of_tokens_and_users_but_the_audit_log(workspace: Workspace) -> None:
    token(workspace)
    identity.add_user(workspace, "kim", PASSWORD, Role.READER)
    tables = set(workspace.catalog.database.table_names())
    assert not tables & {"tokens", "users", "sessions"}
    audit = operations.audit(workspace, 10)
    assert {"token.create", "user.add"} <= {row["action"] for row in audit}
    hashed = sqlite3.connect(workspace.home / "access.db").execute("SELECT digest FROM tokens").fetchone()[0]
    assert hashed not in str(audit)
    assert "scrypt" not in str(audit)


def test_only_its_owner_may_read_the_file(workspace: Workspace) -> None:
    token(workspace)
    for path in workspace.home.glob("access.db*"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize("secret", ["", "entrepot_", "entrepot_guess", "\udcff", "x" * 100_000])
def test_an_unknown_token_is_nobody(workspace: Workspace, secret: str) -> None:
    token(workspace)
    with pytest.raises(AuthenticationError):
        identity.authenticate(workspace, secret)


def test_a_token_ends_when_it_expires(workspace: Workspace, clock: Clock) -> None:
    secret = token(workspace, days=1)
    clock.advance(hours=23)
    assert identity.authenticate(workspace, secret).name == "ci"
    clock.advance(hours=1)
    with pytest.raises(AuthenticationError):
        identity.authenticate(workspace, secret)
    assert identity.list_tokens(workspace)[0]["state"] == "expired"


def test_a_revoked_token_ends_with_all_that_it_was_exchanged_for(workspace: Workspace) -> None:
    secret = token(workspace)
    short = identity.issue(workspace, identity.authenticate(workspace, secret), 600)
    assert identity.authenticate(workspace, short).name == "ci"
    identity.revoke_token(workspace, "ci")
    for ended in (secret, short):
        with pytest.raises(AuthenticationError):
            identity.authenticate(workspace, ended)


def test_the_name_of_a_revoked_token_is_free_again(workspace: Workspace) -> None:
    token(workspace)
    with pytest.raises(ConflictError):
        token(workspace)
    identity.revoke_token(workspace, "ci")
    assert identity.authenticate(workspace, token(workspace)).name == "ci"
    assert [row["state"] for row in identity.list_tokens(workspace)] == ["valid", "revoked"]


def test_an_access_token_is_short_lived(workspace: Workspace, clock: Clock) -> None:
    short = identity.issue(workspace, identity.authenticate(workspace, token(workspace)), 600)
    clock.advance(seconds=599)
    assert identity.authenticate(workspace, short).role is Role.UPLOADER
    clock.advance(seconds=1)
    with pytest.raises(AuthenticationError):
        identity.authenticate(workspace, short)


def test_the_last_use_of_a_token_is_noted_at_most_once_a_minute(workspace: Workspace, clock: Clock) -> None:
    secret = token(workspace)
    seen = []
    for _ in range(3):
        identity.authenticate(workspace, secret)
        seen.append(identity.list_tokens(workspace)[0]["last_used_at"])
        clock.advance(seconds=40)
    assert seen[0] == seen[1] != seen[2]


def test_a_user_signs_in_with_the_password_and_no_other(workspace: Workspace) -> None:
    identity.add_user(workspace, "kim", PASSWORD, Role.REVIEWER)
    assert identity.login(workspace, "kim", PASSWORD).role is Role.REVIEWER
    for name, password in (("kim", PASSWORD + "x"), ("kim", ""), ("nobody", PASSWORD), ("kim", "x" * 100_000)):
        with pytest.raises(AuthenticationError, match="the name or the password is wrong"):
            identity.login(workspace, name, password)


def test_who_is_disabled_is_signed_out_and_stays_out(workspace: Workspace) -> None:
    identity.add_user(workspace, "kim", PASSWORD, Role.REVIEWER)
    short = identity.issue(workspace, identity.login(workspace, "kim", PASSWORD), 600)
    stamp = identity.stamp_of(workspace, "kim")
    assert identity.signed_in(workspace, "kim", stamp)
    identity.set_user(workspace, "kim", disabled=True)
    assert identity.signed_in(workspace, "kim", stamp) is None
    with pytest.raises(AuthenticationError):
        identity.authenticate(workspace, short)
    with pytest.raises(AuthenticationError):
        identity.login(workspace, "kim", PASSWORD)


def test_a_new_password_ends_what_the_old_one_opened(workspace: Workspace) -> None:
    identity.add_user(workspace, "kim", PASSWORD, Role.REVIEWER)
    short = identity.issue(workspace, identity.login(workspace, "kim", PASSWORD), 600)
    stamp = identity.stamp_of(workspace, "kim")
    identity.set_user(workspace, "kim", password=PASSWORD + " staple")
    assert identity.signed_in(workspace, "kim", stamp) is None
    with pytest.raises(AuthenticationError):
        identity.authenticate(workspace, short)
    assert identity.login(workspace, "kim", PASSWORD + " staple").name == "kim"


def test_a_removed_user_is_gone(workspace: Workspace) -> None:
    identity.add_user(workspace, "kim", PASSWORD, Role.READER)
    identity.remove_user(workspace, "kim")
    assert identity.list_users(workspace) == []
    with pytest.raises(NotFoundError):
        identity.set_user(workspace, "kim", disabled=True)


def test_a_token_and_a_user_cannot_have_one_name(workspace: Workspace) -> None:
    token(workspace, "kim")
    with pytest.raises(ConflictError):
        identity.add_user(workspace, "kim", PASSWORD, Role.READER)


@pytest.mark.parametrize("password", ["", "short", "x" * 2000])
def test_a_password_has_a_length(workspace: Workspace, password: str) -> None:
    with pytest.raises(UsageError, match="8 to 1024"):
        identity.add_user(workspace, "kim", password, Role.READER)


@pytest.mark.parametrize("name", ["", "a b", "../x", "<b>", "a\nb"])
def test_a_name_can_stand_in_a_log(workspace: Workspace, name: str) -> None:
    with pytest.raises(UsageError):
        token(workspace, name)


def test_limits_are_distributions_that_exist(tmp_path: Path) -> None:
    depot = Depot(tmp_path)
    depot.distribute("stable")
    issued = identity.create_token(depot.workspace, "ci", Role.UPLOADER, distributions=["stable"])
    assert issued.token.distributions == ("example/stable",)
    with pytest.raises(NotFoundError):
        identity.create_token(depot.workspace, "cd", Role.UPLOADER, distributions=["unstable"])
    depot.close()


@pytest.mark.parametrize(("action", "needed"), permissions.ACTIONS.items())
def test_every_action_is_for_its_role_and_those_above(action: str, needed: Role) -> None:
    allowed = [role for role in Role if permissions.allows(Identity("who", role), action)]
    assert allowed == list(Role)[list(Role).index(needed) :]


def test_a_limit_lets_its_distributions_be_changed_and_no_other() -> None:
    who = Identity("ci", Role.MAINTAINER, ("a/stable",))
    permissions.require(who, "package.import", "a/stable")
    permissions.require(who, "catalog.read")
    for action, distribution in (("package.import", "a/testing"), ("source.change", None), ("task.cancel", None)):
        with pytest.raises(NotAllowedError, match="a/stable"):
            permissions.require(who, action, distribution)


def test_times_are_told_in_the_answer_for_json(workspace: Workspace, clock: Clock) -> None:
    document = identity.create_token(workspace, "ci", Role.ADMIN, expires_in_days=2).as_json()
    assert document["token"].startswith(identity.TOKEN_PREFIX)
    assert dt.datetime.fromisoformat(document["expires_at"]) == clock.time + dt.timedelta(days=2)
