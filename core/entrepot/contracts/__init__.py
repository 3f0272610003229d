"""The protocols that plugins implement, and what the core hands to them.

A format is six small objects held together by one; a scanner, a storage, a signer and an executor are one each. The
core calls them only through what is written here, and they see of the core only what they are handed.
"""

from entrepot.contracts.advisories import AdvisoryFormat, AdvisoryHistory, AdvisoryLookup, VersionKeys
from entrepot.contracts.executors import Cluster, ExecutorFactory
from entrepot.contracts.formats import Format, LimitsUnpacking
from entrepot.contracts.indexes import (
    ClientFiles,
    FieldFinder,
    IndexEntry,
    IndexReader,
    IndexUpdate,
    Keeper,
    KeyringReader,
    Option,
    ReadContext,
    VersionScheme,
)
from entrepot.contracts.notifiers import Notice, Notifier, NotifierFactory
from entrepot.contracts.packages import PackageReader, SignatureCheck
from entrepot.contracts.reports import NamesPackages, ReportFormat, ReportKind, ReportSubject
from entrepot.contracts.scanners import (
    Artifact,
    BulkScanner,
    Changed,
    DemandingScanner,
    KeepsDatabases,
    ReusableScanner,
    ScanContext,
    Scanner,
    SteadyScanner,
    is_isolated,
)
from entrepot.contracts.signing import SignatureVerifier, Signer, SignerFactory, SigningKey
from entrepot.contracts.solving import Candidate, CandidatePool, Closure, Missing, RememberingPool, Solver
from entrepot.contracts.storage import Body, ObjectInfo, ObjectMeta, Storage, StorageFactory, StorageProperties
from entrepot.contracts.surroundings import Surroundings
from entrepot.contracts.transfer import Fetched, Transfer, Validators
from entrepot.contracts.trees import (
    VERBATIM,
    BuildsSnapshots,
    ChecksOptions,
    ExplainsSetup,
    FileBody,
    IndexText,
    ListsFiles,
    PublishesVerbatim,
    RenderedFile,
    SetupStep,
    StopsClients,
    TreeBuilder,
    TreeFile,
    TreeTools,
    VersionView,
)

__all__ = [
    "AdvisoryFormat",
    "AdvisoryHistory",
    "AdvisoryLookup",
    "Artifact",
    "Body",
    "BuildsSnapshots",
    "BulkScanner",
    "Candidate",
    "CandidatePool",
    "Changed",
    "ChecksOptions",
    "ClientFiles",
    "Closure",
    "Cluster",
    "DemandingScanner",
    "ExecutorFactory",
    "ExplainsSetup",
    "Fetched",
    "FieldFinder",
    "FileBody",
    "Format",
    "IndexEntry",
    "IndexReader",
    "IndexText",
    "IndexUpdate",
    "Keeper",
    "KeepsDatabases",
    "KeyringReader",
    "LimitsUnpacking",
    "ListsFiles",
    "Missing",
    "NamesPackages",
    "Notice",
    "Notifier",
    "NotifierFactory",
    "ObjectInfo",
    "ObjectMeta",
    "Option",
    "PackageReader",
    "PublishesVerbatim",
    "ReadContext",
    "RememberingPool",
    "RenderedFile",
    "ReportFormat",
    "ReportKind",
    "ReportSubject",
    "ReusableScanner",
    "ScanContext",
    "Scanner",
    "SetupStep",
    "SignatureCheck",
    "SignatureVerifier",
    "Signer",
    "SignerFactory",
    "SigningKey",
    "Solver",
    "SteadyScanner",
    "StopsClients",
    "Storage",
    "StorageFactory",
    "StorageProperties",
    "Surroundings",
    "Transfer",
    "TreeBuilder",
    "TreeFile",
    "TreeTools",
    "VERBATIM",
    "Validators",
    "VersionKeys",
    "VersionScheme",
    "VersionView",
    "is_isolated",
]
