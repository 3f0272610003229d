from entrepot.contracts import Artifact, ScanContext
from entrepot.hookspecs import hookimpl
from entrepot.models import Basis, Finding, Status, Verdict


class LicenceScanner:
    name = "licence"  # in policies and settings
    answers = "licence"  # the key in the result of an import
    version = "1"  # of another version, verdicts are not used again
    common_basis = True  # what they depend on is the same for all packages

    def basis(self, context: ScanContext) -> Basis:
        return Basis()  # nothing matters but the package and the settings

    def scan(self, artifact: Artifact, context: ScanContext) -> Verdict:
        if context.info is None:
            return Verdict(Status.ERROR, "unreadable", context.problem)
        licence = context.info.licence or "unknown"
        if licence in context.settings.get("allowed", []):
            return Verdict(Status.PASS, "allowed", evidence={"licence": licence})
        finding = Finding(f"licence-{licence}", "medium", f"nobody allowed {licence}")
        return Verdict(Status.REVIEW, "not_allowed", finding.summary, findings=(finding,))


@hookimpl
def register_scanners() -> list[LicenceScanner]:
    return [LicenceScanner()]
