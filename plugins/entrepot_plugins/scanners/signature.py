"""Asks where a package comes from: who signed it, and was it named by an index whose signature was verified?"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from entrepot.errors import TrustError
from entrepot.models import Available, Basis, Finding, Scalar, Status, Verdict
from entrepot_plugins.scanners.tables import Table

if TYPE_CHECKING:
    from entrepot.contracts import Artifact, ScanContext, SignatureCheck

ACTIONS = {"warn": Status.WARN, "review": Status.REVIEW, "block": Status.BLOCK}


@dataclass(frozen=True, slots=True)
class SignatureSettings:
    """The table ``[scanners.signature]``, as it holds for one source."""

    unsigned: Status = Status.WARN
    """What a package leads to that neither is signed nor named by a signed index."""
    untrusted: Status = Status.WARN
    """What one leads to whose signature is by a key that the source does not have."""


def signature_settings(table: Mapping[str, Any], source: str = "") -> SignatureSettings:
    """The settings for packages of a source, or for uploads; ``SettingsError`` names what cannot be used."""
    reader = Table("scanners.signature", table)
    reader.refuse_others(("unsigned", "untrusted", "sources"))
    sources = reader.table("sources")
    settings = _settings(reader, SignatureSettings())
    found = settings
    # All of them are read, so that a mistake is told before the source is used.
    for name in sources:
        own = sources.table(name)
        own.refuse_others(("unsigned", "untrusted"))
        of_source = _settings(own, settings)
        if name == source:
            found = of_source
    return found


def _settings(reader: Table, defaults: SignatureSettings) -> SignatureSettings:
    return SignatureSettings(
        unsigned=ACTIONS[reader.choice("unsigned", tuple(ACTIONS), defaults.unsigned.value)],
        untrusted=ACTIONS[reader.choice("untrusted", tuple(ACTIONS), defaults.untrusted.value)],
    )


class SignatureScanner:
    """Follows the chain from a source's keys to the package's bytes.

    | status | reason | when |
    |---|---|---|
    | pass | ``signed_trusted`` | its own signature, or that of the index which names it, is by a key of the source |
    | warn | ``signed_untrusted`` | it is signed itself, by a key that the source does not have |
    | warn | ``unsigned_pass`` | it is not signed, and came from a source that is not verified or as an upload |
    | review, block | ``unsigned_blocked`` | the same, where the settings say so |
    | block | ``bad_signature`` | a signature does not fit, its key is expired, revoked or weak, or the index names |
    | | | another file |
    | error | ``error`` | the keys of the source cannot be used |
    """

    name = "signature"
    asks_catalog = False
    answers = "gpg"
    version = "2"
    arrival = True

    def basis(self, context: ScanContext) -> Basis | None:
        """Keys, index and day: what expires is looked at again every day."""
        available, digest = context.available, hashlib.sha256()
        try:
            digest.update(context.keyring.read_bytes() if context.keyring else b"")
        except OSError:
            return None
        verified = context.source is not None and context.source.verify
        named = (available.source, available.signed_by, available.sha256, _index(available)) if available else ()
        digest.update(repr((verified, named, context.now.date().isoformat())).encode())
        return Basis(inputs=digest.hexdigest())

    def scan(self, artifact: Artifact, context: ScanContext) -> Verdict:
        """The verdict. Evidence: who made which signature; fingerprint of the index's key, source and index."""
        available = context.available
        settings = signature_settings(context.settings, context.source.name if context.source else "")
        try:
            own = context.format.packages.signature(artifact.paths, context.keyring)
        except TrustError as error:
            return Verdict(Status.ERROR, "error", error.message, tool=self.name)
        where = artifact.paths[0].name
        evidence = _evidence(own, available)
        if available is not None and (problem := _other_than_named(artifact, context, available)):
            finding = Finding("sha256", "critical", problem, where=where)
            return Verdict(Status.BLOCK, "bad_signature", problem, self.name, findings=(finding,), evidence=evidence)
        if own.status == "bad":
            finding = Finding("bad-signature", "critical", own.detail, where=where)
            return Verdict(Status.BLOCK, "bad_signature", own.detail, self.name, findings=(finding,), evidence=evidence)
        if own.status == "trusted":
            return Verdict(Status.PASS, "signed_trusted", own.detail, self.name, evidence=evidence)
        index_signed = available is not None and available.signed_by
        if own.status == "untrusted" and (own.checked_by_clients or not index_signed):
            return Verdict(settings.untrusted, "signed_untrusted", own.detail, self.name, evidence=evidence)
        if available is not None and index_signed:
            message = f"the index of {available.source} that names it is signed by {available.signed_by}"
            return Verdict(Status.PASS, "signed_trusted", message, self.name, evidence=evidence)
        reason = "unsigned_pass" if settings.unsigned is Status.WARN else "unsigned_blocked"
        return Verdict(settings.unsigned, reason, _why_unsigned(context), self.name, evidence=evidence)


def _why_unsigned(context: ScanContext) -> str:
    if context.available is None:
        return "it was uploaded: no index vouches for it"
    verified = context.source is not None and context.source.verify
    why = "no signature covers the index that names it" if verified else "its indexes are not verified"
    return f"it came from {context.available.source}: {why}"


def _other_than_named(artifact: Artifact, context: ScanContext, available: Available) -> str:
    """What is wrong if the file is not the one that the index names; a download was checked against the same digest."""
    actual = context.info.files[0].sha256 if context.info else artifact.sha256
    if not available.sha256 or actual == available.sha256:
        return ""
    return f"the index of {available.source} names another file: its SHA256 is {available.sha256}"


def _evidence(own: SignatureCheck, available: Available | None) -> dict[str, Scalar]:
    evidence: dict[str, Scalar] = {"signature": own.status}
    if own.keys:
        evidence["keys"] = " ".join(own.keys)
    evidence |= {f"signature_{number}": text for number, text in enumerate(own.made, 1)}
    if available is None:
        return evidence | {"came_by": "upload"}
    evidence |= {"came_by": "source", "source": available.source, "index": _index(available)}
    return evidence | ({"fingerprint": available.signed_by} if available.signed_by else {})


def _index(available: Available) -> str:
    parts = (available.distribution, available.component, available.architecture)
    return "/".join(part for part in parts if part)
