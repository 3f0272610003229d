"""The records that travel between the layers: frozen, slotted, parsed at the border and trusted after it.

Those of which a sync or a publication makes tens of thousands are named tuples, which are made in a third of the time.

Times are timezone-aware UTC datetimes; sizes are bytes; digests are lower-case hexadecimal text unless a name ends in
``_digest`` and says ``bytes``.
"""

from entrepot.models.access import Identity, Role
from entrepot.models.basics import SOURCE_ARCHITECTURE, Scalar, Sha256
from entrepot.models.indexes import Available, Described, Extra, IndexPart, PackageRef, RawEntry, RemoteFile, SyncCounts
from entrepot.models.inspection import (
    FINDINGS,
    VULNERABILITY,
    Basis,
    Decision,
    Finding,
    ImportState,
    Outcome,
    Ruling,
    Status,
    Verdict,
    Waiver,
)
from entrepot.models.packages import (
    Content,
    ContentKind,
    EntryRef,
    PackageFile,
    PackageInfo,
    PublishedEntry,
    UnpackingLimits,
)
from entrepot.models.publishing import Distribution, Phase, Repository, Snapshot, Target, Version
from entrepot.models.reports import ListedPackage, Overcome, StandingFinding, StandingVerdict
from entrepot.models.sources import BUNDLE_SCHEME, Connection, Secrets, Source, SourceDraft, SourceKey, by_hand

__all__ = [
    "BUNDLE_SCHEME",
    "ContentKind",
    "Content",
    "Waiver",
    "Role",
    "Ruling",
    "Basis",
    "FINDINGS",
    "VULNERABILITY",
    "Available",
    "Connection",
    "Decision",
    "Described",
    "Distribution",
    "EntryRef",
    "Extra",
    "Finding",
    "Identity",
    "ImportState",
    "ListedPackage",
    "IndexPart",
    "Outcome",
    "Overcome",
    "PackageFile",
    "PackageInfo",
    "PackageRef",
    "Phase",
    "PublishedEntry",
    "RawEntry",
    "RemoteFile",
    "Repository",
    "SOURCE_ARCHITECTURE",
    "Scalar",
    "Secrets",
    "Sha256",
    "Snapshot",
    "Source",
    "SourceDraft",
    "StandingFinding",
    "StandingVerdict",
    "SourceKey",
    "Status",
    "SyncCounts",
    "Target",
    "UnpackingLimits",
    "Verdict",
    "Version",
    "by_hand",
]
