"""Signing with the real gpg: what it makes verifies elsewhere, and what clients would refuse is never made."""

from __future__ import annotations

import datetime as dt
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from entrepot.contracts import Signer
from entrepot.errors import SettingsError, SigningError
from entrepot_plugins.signers import register_signers
from entrepot_plugins.signers.gpg import GpgSignerFactory
from entrepot_plugins.signers.home import GnupgHome, end_agent, verified
from support.gnupg import gnupg_home, gpg, make_key

pytestmark = pytest.mark.client

TEXT = b"Origin: Example\n- a dash\n\nSuite: stable\n"
LATER = dt.datetime(2040, 5, 6, 7, 8, 9, tzinfo=dt.UTC)
ED25519 = {"key_type": "ed25519"}


@pytest.fixture
def workspace() -> Iterator[Path]:
    """A workspace whose GnuPG home is where it is by default."""
    with gnupg_home() as home:
        yield home
        if (home / "gnupg").is_dir():
            end_agent(home / "gnupg")


def keyring(workspace: Path) -> Path:
    folder = workspace / "gnupg"
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder


def opened(workspace: Path, key: str | None = None) -> Signer:
    return GpgSignerFactory().open(key, {}, workspace)


def read_elsewhere(public_key: bytes, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    """Verifies with the key alone, in a home that knows no other."""
    with gnupg_home() as home:
        gpg(home, "--import", text=public_key)
        command = ["gpg", "--homedir", str(home), "--batch", "--trust-model", "always", "--ignore-time-conflict"]
        return subprocess.run([*command, *arguments], capture_output=True)


def test_the_plugin_registers_gpg() -> None:
    assert [factory.name for factory in register_signers()] == ["gpg"]


def test_opening_the_plugin_does_not_import_gnupg() -> None:
    code = "import sys, entrepot_plugins.signers as s; s.register_signers(); sys.exit('gnupg' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, env={"PYTHONPATH": ":".join(sys.path)})


@pytest.mark.parametrize(
    ("settings", "kind"), [({}, ("3072", "1")), ({"key_type": "rsa2048"}, ("2048", "1")), (ED25519, ("255", "22"))]
)
def test_a_generated_key_only_signs_and_is_of_the_kind_that_is_set(
    workspace: Path, settings: dict[str, object], kind: tuple[str, str]
) -> None:
    fingerprint = GpgSignerFactory().generate("Entrepôt Archive <archive@example.org>", settings, workspace)
    fields = gpg(keyring(workspace), "--with-colons", "--list-keys").decode().splitlines()
    (primary,) = (line.split(":") for line in fields if line.startswith("pub:"))
    assert (primary[2].replace("256", "255"), primary[3]) == kind  # releases of gpg count Ed25519's bits differently
    assert primary[6] == ""
    assert primary[11] == "scSC"
    assert f"fpr:::::::::{fingerprint}:" in fields
    assert any(line.startswith("uid:") and "Entrepôt Archive <archive@example.org>" in line for line in fields)
    assert not any(line.startswith("sub:") for line in fields)


def test_a_generated_key_expires_when_it_is_set_to(workspace: Path) -> None:
    settings = {**ED25519, "expires_in_days": 100}
    GpgSignerFactory().generate("archive@example.org", settings, workspace)
    (key,) = GpgSignerFactory().keys(settings, workspace)
    assert key.primary.expires is not None
    assert key.primary.expires - key.primary.created == dt.timedelta(days=100)


def test_the_home_that_is_made_is_private(workspace: Path) -> None:
    GpgSignerFactory().generate("archive@example.org", ED25519, workspace)
    assert (workspace / "gnupg").stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("user_id", ["", "  ", "a\n%echo x", "Name <a", "(x) y", "a\x1b[1m", "<@>"])
def test_a_user_id_that_gpg_would_misread_is_refused(workspace: Path, user_id: str) -> None:
    with pytest.raises(SigningError, match="cannot be a user id"):
        GpgSignerFactory().generate(user_id, {}, workspace)


@pytest.mark.parametrize("algorithm", ["ed25519", "rsa3072"])
def test_a_clear_signed_text_verifies_elsewhere_and_reads_as_it_was(workspace: Path, algorithm: str) -> None:
    fingerprint = make_key(keyring(workspace), "archive@example.org", algorithm)
    signer = opened(workspace)
    path = workspace / "InRelease"
    path.write_bytes(signer.clearsign(TEXT, now=LATER))
    result = read_elsewhere(signer.public_key, "--status-fd", "2", "--output", "-", str(path))
    assert result.stdout == TEXT
    assert f"[GNUPG:] VALIDSIG {fingerprint} 2040-05-06 ".encode() in result.stderr
    assert b"Hash: SHA512\n" in path.read_bytes()


def test_a_detached_signature_verifies_elsewhere(workspace: Path) -> None:
    make_key(keyring(workspace), "archive@example.org")
    signer = opened(workspace)
    (workspace / "Release").write_bytes(TEXT)
    (workspace / "Release.gpg").write_bytes(signer.detach(TEXT, now=LATER))
    result = read_elsewhere(signer.public_key, "--verify", str(workspace / "Release.gpg"), str(workspace / "Release"))
    assert result.returncode == 0
    assert (workspace / "Release.gpg").read_bytes().startswith(b"-----BEGIN PGP SIGNATURE-----\n")


@pytest.mark.parametrize("algorithm", ["ed25519", "rsa2048"])
def test_the_same_text_at_the_same_time_gives_the_same_signature(workspace: Path, algorithm: str) -> None:
    make_key(keyring(workspace), "archive@example.org", algorithm)
    signer = opened(workspace)
    assert signer.clearsign(TEXT, now=LATER) == signer.clearsign(TEXT, now=LATER)
    assert signer.detach(TEXT, now=LATER) == signer.detach(TEXT, now=LATER)


def test_a_key_made_after_the_clock_was_read_signs_at_its_own_time(workspace: Path) -> None:
    # Not in this very second: set to what its clock shows anyway, gpg does not stop it.
    made = ("--faked-system-time", "20260101T000000")
    make_key(keyring(workspace), "archive@example.org", "ed25519", "never", *made)
    (key,) = GpgSignerFactory().keys({}, workspace)
    signer = opened(workspace)
    before, at = (signer.detach(TEXT, now=key.primary.created - dt.timedelta(seconds=n)) for n in (5, 0))
    assert before == at


def test_what_a_configuration_file_says_does_not_change_signatures(workspace: Path) -> None:
    make_key(keyring(workspace), "archive@example.org")
    plain = opened(workspace).detach(TEXT, now=LATER)
    (workspace / "gnupg/gpg.conf").write_text("comment hello\nemit-version\ndigest-algo SHA1\n")
    assert opened(workspace).detach(TEXT, now=LATER) == plain


def test_a_text_that_clear_signing_would_change_is_refused(workspace: Path) -> None:
    make_key(keyring(workspace), "archive@example.org")
    with pytest.raises(SigningError, match="would not be read as it was signed"):
        opened(workspace).clearsign(b"no newline at the end", now=LATER)


def test_the_public_key_is_minimal_and_holds_no_secret(workspace: Path) -> None:
    home = keyring(workspace)
    fingerprint = make_key(home, "archive@example.org")
    make_key(home, "other@example.org")
    before = opened(workspace, fingerprint).public_key
    gpg(home, "--default-key", "other@example.org", "--quick-sign-key", fingerprint)
    assert opened(workspace, fingerprint).public_key == before
    assert before.startswith(b"-----BEGIN PGP PUBLIC KEY BLOCK-----\n")


@pytest.mark.parametrize("name", ["fingerprint", "0x", "spaced", "long id", "address", "ADDRESS", "user id"])
def test_a_key_is_found_by_each_of_its_names(workspace: Path, name: str) -> None:
    home = keyring(workspace)
    make_key(home, "Other <other@example.org>")
    fingerprint = make_key(home, "Archive <archive@example.org>")
    wanted = {
        "fingerprint": fingerprint.lower(),
        "0x": f"0x{fingerprint}",
        "spaced": " ".join(fingerprint[at : at + 4] for at in range(0, 40, 4)),
        "long id": fingerprint[-16:],
        "address": "archive@example.org",
        "ADDRESS": "<Archive@Example.ORG>",
        "user id": "Archive <archive@example.org>",
    }[name]
    assert opened(workspace, wanted).fingerprint == fingerprint


def test_several_keys_without_a_choice_are_listed(workspace: Path) -> None:
    home = keyring(workspace)
    fingerprints = [make_key(home, "one@example.org"), make_key(home, "two@example.org")]
    with pytest.raises(SigningError, match="several secret keys") as caught:
        opened(workspace)
    assert all(fingerprint in caught.value.hint for fingerprint in fingerprints)


def test_an_unknown_key_is_named_with_those_there_are(workspace: Path) -> None:
    fingerprint = make_key(keyring(workspace), "one@example.org")
    with pytest.raises(SigningError, match="no secret key") as caught:
        opened(workspace, "two@example.org")
    assert "two@example.org" in caught.value.message
    assert fingerprint in caught.value.hint


def test_no_key_at_all_is_an_error_with_a_hint_and_makes_nothing(workspace: Path) -> None:
    with pytest.raises(SigningError, match="there is no secret key") as caught:
        opened(workspace)
    assert "entrepot init" in caught.value.hint
    assert not (workspace / "gnupg").exists()


@pytest.mark.parametrize("algorithm", ["rsa1024", "dsa2048"])
def test_a_key_of_a_kind_that_clients_refuse_does_not_sign(workspace: Path, algorithm: str) -> None:
    make_key(keyring(workspace), "archive@example.org", algorithm)
    with pytest.raises(SigningError, match=r"must not sign: it is a (RSA|DSA) key"):
        opened(workspace).clearsign(TEXT, now=LATER)


@pytest.mark.parametrize(
    ("expires", "problem"), [("5d", "expired on"), ("13d", r"expires on .*, in less than 7 days"), ("18d", "")]
)
def test_a_key_that_expired_or_soon_will_does_not_sign(workspace: Path, expires: str, problem: str) -> None:
    now = dt.datetime.now(dt.UTC)
    made = f"{now - dt.timedelta(days=10):%Y%m%dT%H%M%S}!"
    make_key(keyring(workspace), "archive@example.org", "ed25519", expires, "--faked-system-time", made)
    signer = opened(workspace)
    if problem:
        with pytest.raises(SigningError, match=problem):
            signer.detach(TEXT, now=now)
    else:
        assert signer.detach(TEXT, now=now)


def test_a_revoked_key_does_not_sign(workspace: Path) -> None:
    home = keyring(workspace)
    fingerprint = make_key(home, "archive@example.org")
    certificate = (home / "openpgp-revocs.d" / f"{fingerprint}.rev").read_bytes()
    gpg(home, "--import", text=certificate.replace(b"\n:-----BEGIN", b"\n-----BEGIN"))
    with pytest.raises(SigningError, match="is revoked"):
        opened(workspace).clearsign(TEXT, now=LATER)


def test_a_signing_subkey_signs_and_the_signer_is_known_by_its_primary_key(workspace: Path) -> None:
    home = keyring(workspace)
    fingerprint = make_key(home, "archive@example.org")
    gpg(home, "--passphrase", "", "--quick-add-key", fingerprint, "ed25519", "sign")
    signer = opened(workspace)
    path = workspace / "InRelease"
    path.write_bytes(signer.clearsign(TEXT, now=LATER))
    result = read_elsewhere(signer.public_key, "--status-fd", "2", "--output", "-", str(path))
    (valid,) = (line.split() for line in result.stderr.decode().splitlines() if "VALIDSIG" in line)
    assert signer.fingerprint == fingerprint == valid[-1] != valid[2]


def test_a_key_whose_secret_part_is_elsewhere_signs_with_its_subkey(workspace: Path) -> None:
    with gnupg_home() as safe:
        fingerprint = make_key(safe, "archive@example.org")
        gpg(safe, "--passphrase", "", "--quick-add-key", fingerprint, "ed25519", "sign")
        exported = gpg(safe, "--passphrase", "", "--export-secret-subkeys", fingerprint)
    (workspace / "key").write_bytes(exported)
    assert GpgSignerFactory().import_key(workspace / "key", {}, workspace) == fingerprint
    assert opened(workspace).detach(TEXT, now=LATER)


def test_a_passphrase_protects_the_key_and_unlocks_it(workspace: Path) -> None:
    (workspace / "passphrase").write_text("correct hörse\n")
    settings = {**ED25519, "passphrase_file": "passphrase"}
    factory = GpgSignerFactory()
    factory.generate("archive@example.org", settings, workspace)
    assert factory.open(None, settings, workspace).detach(TEXT, now=LATER)
    (workspace / "passphrase").write_text("wrong\n")
    with pytest.raises(SigningError, match="could not sign") as caught:
        factory.open(None, settings, workspace).detach(TEXT, now=LATER)
    assert "passphrase_file" in caught.value.hint


@pytest.mark.parametrize("content", [b"", b"\n", b" x\n", b"x\ny\n", b"\xff\n"])
def test_a_passphrase_file_that_cannot_be_meant_is_refused(workspace: Path, content: bytes) -> None:
    (workspace / "passphrase").write_bytes(content)
    with pytest.raises(SigningError, match="passphrase"):
        GpgSignerFactory().generate("a@example.org", {"passphrase_file": "passphrase"}, workspace)


@pytest.mark.parametrize(
    "settings",
    [{"hom": "x"}, {"home": 3}, {"key_type": "dsa1024"}, {"min_valid_days": "7"}, {"expires_in_days": -1}],
)
def test_settings_that_make_no_sense_are_named(workspace: Path, settings: dict[str, object]) -> None:
    with pytest.raises(SettingsError, match=r"signers\.gpg"):
        GpgSignerFactory().open(None, settings, workspace)


def test_an_exported_key_can_be_imported(workspace: Path) -> None:
    with gnupg_home() as elsewhere:
        fingerprint = make_key(elsewhere, "archive@example.org")
        (workspace / "key.asc").write_bytes(gpg(elsewhere, "--armor", "--export-secret-keys", fingerprint))
    assert GpgSignerFactory().import_key(workspace / "key.asc", {}, workspace) == fingerprint
    assert opened(workspace).fingerprint == fingerprint


def test_a_file_without_a_secret_key_is_not_imported(workspace: Path) -> None:
    (workspace / "key.asc").write_bytes(b"nothing")
    with pytest.raises(SigningError, match="does not hold one secret key"):
        GpgSignerFactory().import_key(workspace / "key.asc", {}, workspace)


def test_no_agent_is_left_behind(workspace: Path) -> None:
    factory = GpgSignerFactory()
    home = GnupgHome(workspace / "gnupg", None)
    factory.generate("archive@example.org", ED25519, workspace)
    assert any(not home.agent_runs() for _ in range(500))
    signer = factory.open(None, {}, workspace)
    signer.detach(TEXT, now=LATER)
    assert home.agent_runs()
    del signer
    # It is told to end, and does so when it comes to it; each question takes some milliseconds.
    assert any(not home.agent_runs() for _ in range(500))


def test_an_agent_that_was_there_before_is_left_alone(workspace: Path) -> None:
    home = GnupgHome(keyring(workspace), None)
    make_key(home.folder, "archive@example.org")  # its agent stays
    signer = opened(workspace)
    signer.detach(TEXT, now=LATER)
    del signer
    assert home.agent_runs()


def test_a_signature_of_another_text_is_not_taken_for_verified(workspace: Path) -> None:
    make_key(keyring(workspace), "archive@example.org")
    signer = opened(workspace)
    signature = signer.detach(TEXT, now=LATER)
    with pytest.raises(SigningError, match="does not verify"):
        verified(signer.public_key, signature, TEXT + b"x", signer.fingerprint)


def test_a_home_whose_path_is_too_long_for_a_socket_says_so(tmp_path: Path) -> None:
    if any(Path(run, str(os.getuid())).is_dir() for run in ("/run/user", "/var/run/user", "/run/gnupg/user")):
        # GnuPG then has its sockets there, and no path of a home is too long.
        assert GpgSignerFactory().generate("a@example.org", {**ED25519, "home": "long" * 25}, tmp_path)
        return
    with pytest.raises(SigningError) as caught:
        GpgSignerFactory().generate("a@example.org", {**ED25519, "home": "long" * 25}, tmp_path)
    assert "too long" in caught.value.hint
