"""Signs with GnuPG: keys in a home of their own, an agent that ends with us, signatures that clients will take.

Generated keys are RSA of 3072 bits unless ``key_type`` says otherwise. RSA is what every client reads, rpm of EL8
included, which knows no Ed25519; 3072 bits satisfy apt's coming limit, too (``APT::Key::Assert-Pubkey-Algo::Future``);
4096 would only make every signature larger and slower.
"""

from __future__ import annotations

import datetime as dt
import re
import weakref
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from entrepot.errors import SettingsError, SigningError

if TYPE_CHECKING:
    from entrepot.contracts import Signer
    from entrepot_plugins.signers.home import GnupgHome
    from entrepot_plugins.signers.keys import SecretKey

T = TypeVar("T")

_KEY_TYPE = re.compile(r"(?P<rsa>rsa(?P<bits>2048|3072|4096))|ed25519")
_USER_ID = re.compile(r"(?P<name>[^<>()@]*?)\s*(?P<email><?[^<>()\s@]+@[^<>()\s@]+>?)?")


@dataclass(frozen=True, slots=True)
class GpgSettings:
    """The table ``[signers.gpg]``.

    ``min_valid_days``: with a key that expires sooner nothing is signed. ``expires_in_days``: of generated keys; 0 is
    never. ``passphrase_file``: its one line unlocks the key, and protects generated ones.
    """

    home: Path
    passphrase_file: Path | None
    key_type: str
    expires_in_days: int
    min_valid_days: int

    @classmethod
    def read(cls, table: Mapping[str, Any], home: Path) -> GpgSettings:
        """The settings with their defaults; relative paths are below ``home``. ``SettingsError`` names the key."""

        def value(name: str, kind: type[T], default: T) -> T:
            found = table.get(name, default)
            if not isinstance(found, kind) or isinstance(found, bool):
                raise SettingsError(f"signers.gpg.{name} must be {kind.__name__}, not {type(found).__name__}", key=name)
            return found

        if unknown := sorted(set(table) - set(cls.__slots__)):
            raise SettingsError(f"signers.gpg has no setting {unknown[0]!r}", hint=f"known: {', '.join(cls.__slots__)}")
        passphrase_file = value("passphrase_file", str, "")
        settings = cls(
            home=home / Path(value("home", str, "gnupg")).expanduser(),
            passphrase_file=home / Path(passphrase_file).expanduser() if passphrase_file else None,
            key_type=value("key_type", str, "rsa3072"),
            expires_in_days=value("expires_in_days", int, 0),
            min_valid_days=value("min_valid_days", int, 7),
        )
        if not _KEY_TYPE.fullmatch(settings.key_type):
            raise SettingsError("signers.gpg.key_type must be rsa2048, rsa3072, rsa4096 or ed25519", key="key_type")
        if min(settings.expires_in_days, settings.min_valid_days) < 0:
            raise SettingsError("signers.gpg: days must not be negative")
        return settings

    def open(self) -> GnupgHome:
        """The GnuPG home; ``SigningError`` if the passphrase cannot be read."""
        from entrepot_plugins.signers.home import GnupgHome

        if self.passphrase_file is None:
            return GnupgHome(self.home, None)
        try:
            passphrase = self.passphrase_file.read_text(encoding="utf-8").rstrip("\r\n")
        except (OSError, UnicodeDecodeError) as error:
            raise SigningError(f"the passphrase cannot be read from {self.passphrase_file}: {error}") from error
        # gpg takes blanks off the ends of a passphrase when it makes a key, and not when it signs.
        if not passphrase or passphrase != passphrase.strip() or not passphrase.isprintable():
            raise SigningError(f"{self.passphrase_file} must hold one line, without blanks at its ends")
        return GnupgHome(self.home, passphrase)


class GpgSigner:
    """Signs with one key. The agent that it starts ends with it, at the latest at the end of the process."""

    name = "gpg"

    def __init__(self, home: GnupgHome, key: SecretKey, min_valid_days: int) -> None:
        from entrepot_plugins.signers.home import end_agent

        self.fingerprint = key.fingerprint
        self._home = home
        self._key = key
        self._valid_for = dt.timedelta(days=min_valid_days)
        if not home.agent_runs():
            self._end = weakref.finalize(self, end_agent, home.folder)
        self.public_key = home.gpg.export_keys(key.fingerprint, minimal=True).encode()
        if not self.public_key:
            raise SigningError(f"the public part of key {key} cannot be exported", key=key.fingerprint)

    def clearsign(self, data: bytes, *, now: dt.datetime) -> bytes:
        """See ``contracts.Signer``. ``data`` is lines that end in a newline, without blanks before it."""
        from entrepot_plugins.signers.home import verified

        signature, part = self._sign(data, now, clearsign=True)
        if verified(self.public_key, signature, None, part) != data:
            raise SigningError("a clear-signed text would not be read as it was signed: blanks or no newline at an end")
        return signature

    def detach(self, data: bytes, *, now: dt.datetime) -> bytes:
        """See ``contracts.Signer``."""
        from entrepot_plugins.signers.home import verified

        signature, part = self._sign(data, now, clearsign=False)
        verified(self.public_key, signature, data, part)
        return signature

    def _sign(self, data: bytes, now: dt.datetime, *, clearsign: bool) -> tuple[bytes, str]:
        part = self._key.signing_part(now, self._valid_for)
        # gpg takes the time of a signature from its clock alone. Set to ours and stopped, the same text gives the same
        # bytes (RSA and EdDSA signatures have nothing random in them). A key made after ``now`` was taken, by the same
        # command, must not look as if it had signed before it existed: clients refuse that.
        time = max(now, part.created, self._key.primary.created)
        result = self._home.gpg.sign(
            data,
            keyid=f"{part.fingerprint}!",
            passphrase=self._home.passphrase,
            clearsign=clearsign,
            detach=not clearsign,
            extra_args=["--local-user", f"{part.fingerprint}!", "--faked-system-time", f"{int(time.timestamp())}!"],
        )
        if not result.data:
            raise self._home.failure(f"key {self._key} could not sign", result.stderr)
        return result.data, part.fingerprint


class GpgSignerFactory:
    """Opens keys of a GnuPG home: ``home`` in ``[signers.gpg]``, or ``gnupg`` in the workspace."""

    name = "gpg"

    def open(self, key: str | None, settings: Mapping[str, Any], home: Path) -> Signer:
        """See ``contracts.SignerFactory``; ``SigningError`` lists the keys there are if ``key`` does not name one."""
        from entrepot_plugins.signers.keys import choose

        wanted = GpgSettings.read(settings, home)
        gnupg_home = wanted.open()
        if not gnupg_home.folder.is_dir():
            choose([], key, str(gnupg_home.folder))
        with gnupg_home.agent():
            found = choose(gnupg_home.secret_keys(), key, str(gnupg_home.folder))
        return GpgSigner(gnupg_home, found, wanted.min_valid_days)

    def generate(self, user_id: str, settings: Mapping[str, Any], home: Path) -> str:
        """Makes a key that only signs, for ``Name <address>``; without a ``passphrase_file`` it is not protected."""
        wanted = GpgSettings.read(settings, home)
        gnupg_home = wanted.open()
        gnupg_home.make()
        with gnupg_home.agent():
            result = gnupg_home.gpg.gen_key(_parameters(user_id, wanted, gnupg_home.passphrase))
        if not result.fingerprint:
            raise gnupg_home.failure("the key could not be made", result.stderr)
        return result.fingerprint

    def import_key(self, path: Path, settings: Mapping[str, Any], home: Path) -> str:
        """Takes a secret key from an exported file; answers its fingerprint."""
        wanted = GpgSettings.read(settings, home)
        gnupg_home = wanted.open()
        try:
            data = path.read_bytes()
        except OSError as error:
            raise SigningError(f"{path} cannot be read: {error.strerror}", path=str(path)) from error
        gnupg_home.make()
        with gnupg_home.agent():
            result = gnupg_home.gpg.import_keys(data, passphrase=gnupg_home.passphrase)
            fingerprints = dict.fromkeys(result.fingerprints)
            secret = [key.fingerprint for key in gnupg_home.secret_keys() if key.fingerprint in fingerprints]
        if len(secret) != 1:
            raise gnupg_home.failure(f"{path} does not hold one secret key, but {len(secret)}", result.stderr)
        return secret[0]

    def keys(self, settings: Mapping[str, Any], home: Path) -> Sequence[SecretKey]:
        """The keys that could be opened."""
        gnupg_home = GpgSettings.read(settings, home).open()
        if not gnupg_home.folder.is_dir():
            return []
        with gnupg_home.agent():
            return gnupg_home.secret_keys()

    def verify(self, data: bytes, signature: bytes, keyring: Path, *, name: str) -> str:
        """See ``contracts.SignatureVerifier``: gpgv decides, with no key but those of ``keyring``."""
        from entrepot_plugins.shared.openpgp import verify

        return verify(data, keyring, name=name, signature=signature).fingerprint

    def claims(self, signature: bytes) -> Sequence[str]:
        """See ``contracts.SignatureVerifier``."""
        from entrepot_plugins.shared.signatures import issuers

        return issuers(signature)


def _parameters(user_id: str, settings: GpgSettings, passphrase: str | None) -> str:
    """What gpg makes a key from (manual, "Unattended key generation"); a newline in a value would be a command."""
    who = _USER_ID.fullmatch(user_id.strip())
    if who is None or not user_id.isprintable() or not any(who.groups()):
        raise SigningError(
            f"{user_id!r} cannot be a user id", hint="give a name, an address, or: Name <name@example.org>"
        )
    kind = _KEY_TYPE.fullmatch(settings.key_type)
    assert kind is not None
    lines = [
        f"Passphrase: {passphrase}" if passphrase else "%no-protection",
        *(
            ["Key-Type: RSA", f"Key-Length: {kind['bits']}"]
            if kind["rsa"]
            else ["Key-Type: EDDSA", "Key-Curve: ed25519"]
        ),
        "Key-Usage: sign",
        *([f"Name-Real: {who['name']}"] if who["name"] else []),
        *([f"Name-Email: {who['email'].strip('<>')}"] if who["email"] else []),
        f"Expire-Date: {settings.expires_in_days}",
        "%commit",
    ]
    # Parameters stand after Key-Type, control statements anywhere.
    if passphrase:
        lines.insert(4, lines.pop(0))
    return "\n".join(lines) + "\n"
