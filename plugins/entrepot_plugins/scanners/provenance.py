"""Asks where a package comes from: was it named by an index whose signature was verified?"""

from __future__ import annotations

from entrepot.contracts import Artifact, ScanContext
from entrepot.models import Finding, Status, Verdict


class ProvenanceScanner:
    """Follows the chain from a source's key to the package's bytes; what a missing link means, the policy decides.

    | status | reason | when |
    |---|---|---|
    | pass | ``signed_trusted`` | a signature that was verified covers the index that names the package |
    | warn | ``unsigned_pass`` | the source is not verified, or the package was uploaded |
    | block | ``not_as_signed`` | the package is not the one that the index names |
    """

    name = "provenance"
    answers = "gpg"
    version = "1"

    def scan(self, artifact: Artifact, context: ScanContext) -> Verdict:
        """The verdict. Evidence: fingerprint of the key, source and index; or how the package came in."""
        available = context.available
        if available is None:
            message = "it was uploaded: no index vouches for it"
            return Verdict(Status.WARN, "unsigned_pass", message, evidence={"came_by": "upload"})
        index = "/".join(part for part in (available.distribution, available.component, available.architecture) if part)
        evidence = {"came_by": "source", "source": available.source, "index": index}
        # The download was checked against the same digest. This is for whoever brings files in on another way.
        actual = context.info.files[0].sha256 if context.info else artifact.sha256
        if available.sha256 and actual != available.sha256:
            message = f"the index of {available.source} names another file: its SHA256 is {available.sha256}"
            finding = Finding("sha256", "critical", message, where=artifact.paths[0].name)
            return Verdict(Status.BLOCK, "not_as_signed", message, findings=(finding,), evidence=evidence)
        if available.signed_by:
            message = f"the index of {available.source} that names it is signed by {available.signed_by}"
            evidence["fingerprint"] = available.signed_by
            return Verdict(Status.PASS, "signed_trusted", message, evidence=evidence)
        verified = context.source is not None and context.source.verify
        why = "no signature covers the index that names it" if verified else "its indexes are not verified"
        return Verdict(Status.WARN, "unsigned_pass", f"it came from {available.source}: {why}", evidence=evidence)
