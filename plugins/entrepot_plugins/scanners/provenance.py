"""Asks where a package comes from: was it named by an index whose signature was verified?"""

from __future__ import annotations

from entrepot.contracts import Artifact, ScanContext
from entrepot.models import Available, Finding, Scalar, Status, Verdict

OWN = {
    "trusted": (Status.PASS, "signed_trusted"),
    "untrusted": (Status.WARN, "signed_untrusted"),
    "bad": (Status.BLOCK, "bad_signature"),
}
"""What a package's own signature leads to."""


class ProvenanceScanner:
    """Follows the chain from a source's key to the package's bytes; what a missing link means, the policy decides.

    | status | reason | when |
    |---|---|---|
    | pass | ``signed_trusted`` | its own signature, or that of the index which names it, is by a key of the source |
    | warn | ``signed_untrusted`` | it is signed itself, by a key that the source does not have |
    | warn | ``unsigned_pass`` | it is not signed, and came from a source that is not verified or as an upload |
    | block | ``bad_signature`` | its own signature does not fit it, or its key is expired, revoked or weak |
    | block | ``not_as_signed`` | it is not the package that the index names |
    """

    name = "provenance"
    answers = "gpg"
    version = "1"

    def scan(self, artifact: Artifact, context: ScanContext) -> Verdict:
        """The verdict. Evidence: fingerprint of the key, source and index; or how the package came in."""
        available = context.available
        own = context.format.packages.signature(artifact.paths, context.keyring)
        if available is not None and (other := _other_than_named(artifact, context, available)):
            return other
        if own.status in OWN:
            status, reason = OWN[own.status]
            return Verdict(status, reason, own.detail, evidence={"keys": " ".join(own.keys), "signature": own.status})
        if available is None:
            message = "it was uploaded: no index vouches for it"
            return Verdict(Status.WARN, "unsigned_pass", message, evidence={"came_by": "upload"})
        evidence = _origin(available)
        if available.signed_by:
            message = f"the index of {available.source} that names it is signed by {available.signed_by}"
            evidence["fingerprint"] = available.signed_by
            return Verdict(Status.PASS, "signed_trusted", message, evidence=evidence)
        verified = context.source is not None and context.source.verify
        why = "no signature covers the index that names it" if verified else "its indexes are not verified"
        return Verdict(Status.WARN, "unsigned_pass", f"it came from {available.source}: {why}", evidence=evidence)


def _other_than_named(artifact: Artifact, context: ScanContext, available: Available) -> Verdict | None:
    """A verdict if the file is not the one that the index names; a download was checked against the same digest."""
    actual = context.info.files[0].sha256 if context.info else artifact.sha256
    if not available.sha256 or actual == available.sha256:
        return None
    message = f"the index of {available.source} names another file: its SHA256 is {available.sha256}"
    finding = Finding("sha256", "critical", message, where=artifact.paths[0].name)
    return Verdict(Status.BLOCK, "not_as_signed", message, findings=(finding,), evidence=_origin(available))


def _origin(available: Available) -> dict[str, Scalar]:
    parts = (available.distribution, available.component, available.architecture)
    return {"came_by": "source", "source": available.source, "index": "/".join(part for part in parts if part)}
