"""Verifies texts that a repository signs, against the keys of one source and nothing else.

``gpgv`` does the cryptography: it reads no configuration, starts no agent, touches no key ring of the user, and trusts
exactly the keys it is handed. What it answers on its status channel decides, not its exit code: that is an error as
soon as one of several signatures is by a key that is not at hand.
"""

from __future__ import annotations

import base64
import binascii
import re
import subprocess
import tempfile
import threading
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from entrepot.errors import TrustError

TIMEOUT = 60
WEAK_HASHES = {"1": "MD5", "2": "SHA-1", "3": "RIPEMD-160"}
"""Numbers of hash algorithms (RFC 9580, 9.5) with which a signature proves nothing any more."""
_ARMOR = re.compile(rb"-----BEGIN PGP PUBLIC KEY BLOCK-----[ \t]*\r?\n(.*?)-----END PGP PUBLIC KEY BLOCK-----", re.S)
_ARMORED_SIGNATURE = re.compile(rb"-----BEGIN PGP SIGNATURE-----[ \t]*\r?\n(.*?)-----END PGP SIGNATURE-----", re.S)
_CLEARSIGNED = re.compile(
    rb"\A\s*-----BEGIN PGP SIGNED MESSAGE-----[ \t]*\r?\n(?:[^\r\n]+\r?\n)*[ \t]*\r?\n"
    rb"(.*?)\r?\n-----BEGIN PGP SIGNATURE-----",
    re.S,
)
PUBLIC_KEY, SECRET_KEYS = 6, (5, 7)


@dataclass(frozen=True, slots=True)
class Verified:
    """What was signed, and the fingerprint of the (primary) key that signed it."""

    payload: bytes
    fingerprint: str


def dearmor(keys: bytes) -> bytes:
    """Public keys as ``gpgv`` reads them: armored blocks (several allowed) decoded, binary keys as they are.

    ``ValueError`` for what holds no public key, or holds secret ones.
    """
    blocks = _ARMOR.findall(keys)
    if blocks:
        binary = b"".join(_decode_armor(block) for block in blocks)
    elif b"-----BEGIN PGP PRIVATE" in keys:
        raise ValueError("it holds a secret key")
    else:
        binary = keys
    if binary[8:12] == b"KBXf":
        raise ValueError("it is a keybox; export the keys with gpg --export")
    if not binary or not binary[0] & 0x80:
        raise ValueError("it holds no OpenPGP public key")
    first = binary[0]
    tag = first & 0x3F if first & 0x40 else (first >> 2) & 0x0F
    if tag in SECRET_KEYS:
        raise ValueError("it holds a secret key")
    if tag != PUBLIC_KEY:
        raise ValueError("it holds no OpenPGP public key")
    return binary


def armored_keys(keys: bytes) -> bytes:
    """Public keys in one armored block, however they came."""
    head, tail = b"-----BEGIN PGP PUBLIC KEY BLOCK-----\n\n", b"-----END PGP PUBLIC KEY BLOCK-----\n"
    return head + base64.encodebytes(dearmor(keys)) + tail


def binary_signature(armored: bytes) -> bytes:
    """The packets in an armored detached signature; ``ValueError`` for what is none."""
    match = _ARMORED_SIGNATURE.search(armored)
    if not match:
        raise ValueError("it is no armored signature")
    return _decode_armor(match.group(1))


def _decode_armor(block: bytes) -> bytes:
    lines = [line.strip() for line in block.splitlines()]
    # Headers (Version:, Comment:) end at the first empty line; some tools write neither.
    body = lines[lines.index(b"") + 1 :] if b"" in lines and b":" in b"".join(lines[: lines.index(b"")]) else lines
    # The checksum line starts with "=" (RFC 9580, 6.1: optional, and gpgv would not use it for keys either).
    text = b"".join(line for line in body if not line.startswith(b"="))
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise ValueError(f"its armor is damaged: {error}") from error


def unwrap(content: bytes) -> bytes:
    """The text of a clear-signed file whose signature nobody asks for; text without a signature around it as it is."""
    match = _CLEARSIGNED.search(content)
    if not match:
        return content
    return re.sub(rb"(?m)^- ", b"", match.group(1)) + b"\n"


def verify(signed: bytes, keyring: Path, *, name: str, signature: bytes | None = None) -> Verified:
    """What a clear-signed text (APT's InRelease), or a text with its detached ``signature``, really says.

    At least one signature has to be good, by a key of ``keyring`` that is neither expired nor revoked, with a hash
    better than SHA-1; signatures by unknown keys do not matter beside it; a bad one makes everything bad. The payload
    of a clear-signed text is what ``gpgv`` hands out as signed: text before and after it is not in it. ``TrustError``
    naming the file as ``name``.
    """
    with tempfile.TemporaryDirectory(prefix="entrepot-gpgv-") as scratch:
        folder = Path(scratch)
        keys = folder / "keys.gpg"
        try:
            keys.write_bytes(dearmor(keyring.read_bytes()))
        except (OSError, ValueError) as error:
            raise TrustError(
                f"the keyring of {name} cannot be used: {error}", hint="set another one with --keyring"
            ) from error
        text = folder / "signed"
        text.write_bytes(signed)
        command = _gpgv(folder, keys)
        if signature is None:
            command += ["--output", str(folder / "payload"), str(text)]
        else:
            (folder / "signature").write_bytes(signature)
            command += [str(folder / "signature"), str(text)]
        fingerprint = _judge(_run(command), name)
        payload = signed if signature is not None else (folder / "payload").read_bytes()
    return Verified(payload, fingerprint)


def judge_detached(signature: bytes, data: BinaryIO, keys: bytes) -> Judgement:
    """What gpgv says of a detached signature of ``data``, a file from where its descriptor stands to its end.

    ``keys`` is what ``dearmor`` answers. ``TrustError`` only where gpgv cannot be run.
    """
    with tempfile.TemporaryDirectory(prefix="entrepot-gpgv-") as scratch:
        folder = Path(scratch)
        (folder / "keys.gpg").write_bytes(keys)
        (folder / "signature").write_bytes(signature)
        command = [*_gpgv(folder, folder / "keys.gpg"), str(folder / "signature"), "-"]
        return Judgement.of(_run(command, data))


def judge_chunks(signature: bytes, chunks: Iterable[bytes], keys: bytes) -> Judgement:
    """Like ``judge_detached``, of what lies in pieces."""
    with tempfile.TemporaryDirectory(prefix="entrepot-gpgv-") as scratch:
        folder = Path(scratch)
        (folder / "keys.gpg").write_bytes(keys)
        (folder / "signature").write_bytes(signature)
        command = [*_gpgv(folder, folder / "keys.gpg"), str(folder / "signature"), "-"]
        return Judgement.of(_run(command, chunks=chunks))


def judge_clearsigned(text: bytes, keys: bytes) -> tuple[Judgement, bytes]:
    """What gpgv says of a clear-signed text, and what it says was signed; for ``keys`` see ``judge_detached``."""
    with tempfile.TemporaryDirectory(prefix="entrepot-gpgv-") as scratch:
        folder = Path(scratch)
        payload = folder / "payload"
        (folder / "keys.gpg").write_bytes(keys)
        (folder / "signed").write_bytes(text)
        command = [*_gpgv(folder, folder / "keys.gpg"), "--output", str(payload), str(folder / "signed")]
        judgement = Judgement.of(_run(command))
        return judgement, payload.read_bytes() if payload.exists() else b""


def armored_signature(packet: bytes) -> bytes:
    """The opposite of ``binary_signature``."""
    return b"-----BEGIN PGP SIGNATURE-----\n\n" + base64.encodebytes(packet) + b"-----END PGP SIGNATURE-----\n"


def _gpgv(home: Path, keyring: Path) -> list[str]:
    command = ["gpgv", "--homedir", str(home), "--keyring", str(keyring), "--status-fd", "1"]
    # It refuses MD5 of its own accord.
    for weak in ("SHA1", "RIPEMD160"):
        command += ["--weak-digest", weak]
    return command


def _run(command: list[str], data: BinaryIO | None = None, *, chunks: Iterable[bytes] | None = None) -> str:
    try:
        if chunks is not None:
            return _fed(command, chunks)
        done = subprocess.run(command, stdin=data, capture_output=True, timeout=TIMEOUT, check=False)
    except FileNotFoundError as error:
        raise TrustError("gpgv is not installed", hint="apt-get install gpgv (or gnupg2 on Fedora and RHEL)") from error
    except subprocess.TimeoutExpired as error:
        raise TrustError(f"gpgv did not answer within {TIMEOUT} seconds") from error
    return done.stdout.decode("utf-8", "replace")


def _fed(command: list[str], data: Iterable[bytes]) -> str:
    """What gpgv says of chunks that it is handed one by one; it is ended when its time is over."""
    with (
        tempfile.TemporaryFile() as said,
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=said, stderr=subprocess.DEVNULL) as process,
    ):
        over = threading.Event()

        def end() -> None:
            over.set()
            process.kill()

        timer = threading.Timer(TIMEOUT, end)
        timer.start()
        try:
            assert process.stdin is not None
            # It may have seen enough before the end: of a signature by an unknown key it reads nothing.
            with suppress(BrokenPipeError):
                for chunk in data:
                    process.stdin.write(chunk)
            with suppress(BrokenPipeError):
                process.stdin.close()
            process.wait()
        finally:
            timer.cancel()
            process.kill()
        if over.is_set():
            raise subprocess.TimeoutExpired(command, TIMEOUT)
        said.seek(0)
        return said.read().decode("utf-8", "replace")


@dataclass
class Judgement:
    """What gpgv says of all signatures together. ``fingerprint`` is that of a good one's (primary) key."""

    good: bool = False
    """The signature being reported is good, and so is its key."""
    fingerprint: str = ""
    bad: bool = False
    """A signature does not fit the text."""
    damaged: bool = False
    unknown: list[str] = field(default_factory=list)
    flaws: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, status: str) -> Judgement:
        """What the lines of gpgv's status channel come to."""
        seen = cls()
        for line in status.splitlines():
            words = line.split()
            if len(words) >= 2 and words[0] == "[GNUPG:]":
                seen.take(words[1], words[2:])
        return seen

    def take(self, keyword: str, words: list[str]) -> None:
        """Takes one line into account."""
        if keyword in ("NEWSIG", "EXPSIG", "EXPKEYSIG", "REVKEYSIG", "BADSIG", "ERRSIG"):
            self.good = False
        match keyword:
            case "GOODSIG":
                self.good = True
            case "VALIDSIG" if self.good and len(words) >= 10:
                self.fingerprint = self.fingerprint or words[9]
            case "EXPSIG":
                self.flaws.append(f"the signature by {words[0]} has expired")
            case "EXPKEYSIG":
                self.flaws.append(f"key {words[0]} has expired")
            case "REVKEYSIG":
                self.flaws.append(f"key {words[0]} is revoked")
            case "BADSIG":
                self.bad = True
            case "ERRSIG" if len(words) > 5 and words[5] == "9":
                self.unknown.append(words[6] if len(words) > 6 and words[6] != "-" else words[0])
            case "ERRSIG" if len(words) > 2 and words[2] in WEAK_HASHES:
                self.flaws.append(f"the signature by {words[0]} uses {WEAK_HASHES[words[2]]}")
            case "ERRSIG":
                self.flaws.append(f"the signature by {words[0]} cannot be checked")
            case "ERROR":
                self.damaged = True


def _judge(status: str, name: str) -> str:
    seen = Judgement.of(status)
    if seen.bad:
        raise TrustError(
            f"{name} has a bad signature: its text is not what was signed",
            hint="the file may have been changed on its way, or the mirror is in the middle of an update",
            file=name,
        )
    if seen.damaged:
        raise TrustError(f"{name} is not one signed text: gpgv found damaged or additional data in it", file=name)
    if seen.fingerprint:
        return seen.fingerprint
    if seen.flaws:
        raise TrustError(f"{name} has no signature to be trusted: {'; '.join(seen.flaws)}", file=name, flaws=seen.flaws)
    if seen.unknown:
        keys = ", ".join(dict.fromkeys(seen.unknown))
        raise TrustError(
            f"{name} is signed by keys that are not in the source's keyring: {keys}",
            hint="set a keyring that has one of them with --keyring, after checking where it comes from",
            file=name,
            keys=seen.unknown,
        )
    raise TrustError(f"{name} is not signed", hint="use --no-verify only for a repository that never signs", file=name)
