"""The protocols that plugins implement, and what the core hands to them.

A format is six small objects held together by one; a scanner, a storage, a signer and an executor are one each. The
core calls them only through what is written here, and they see of the core only what they are handed.


What is asked for is imported then: most commands need little of it.
"""

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
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
    from entrepot.contracts.solving import (
        Candidate,
        CandidatePool,
        Closure,
        ExpectingPool,
        Missing,
        RememberingPool,
        Solver,
        TellsExcluded,
    )
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
    "ExpectingPool",
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
    "TellsExcluded",
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

_HOMES = {
    "AdvisoryFormat": "advisories",
    "AdvisoryHistory": "advisories",
    "AdvisoryLookup": "advisories",
    "Artifact": "scanners",
    "Body": "storage",
    "BuildsSnapshots": "trees",
    "BulkScanner": "scanners",
    "Candidate": "solving",
    "CandidatePool": "solving",
    "Changed": "scanners",
    "ChecksOptions": "trees",
    "ClientFiles": "indexes",
    "Closure": "solving",
    "Cluster": "executors",
    "DemandingScanner": "scanners",
    "ExecutorFactory": "executors",
    "ExpectingPool": "solving",
    "ExplainsSetup": "trees",
    "Fetched": "transfer",
    "FieldFinder": "indexes",
    "FileBody": "trees",
    "Format": "formats",
    "IndexEntry": "indexes",
    "IndexReader": "indexes",
    "IndexText": "trees",
    "IndexUpdate": "indexes",
    "Keeper": "indexes",
    "KeepsDatabases": "scanners",
    "KeyringReader": "indexes",
    "LimitsUnpacking": "formats",
    "ListsFiles": "trees",
    "Missing": "solving",
    "NamesPackages": "reports",
    "Notice": "notifiers",
    "Notifier": "notifiers",
    "NotifierFactory": "notifiers",
    "ObjectInfo": "storage",
    "ObjectMeta": "storage",
    "Option": "indexes",
    "PackageReader": "packages",
    "PublishesVerbatim": "trees",
    "ReadContext": "indexes",
    "RememberingPool": "solving",
    "RenderedFile": "trees",
    "ReportFormat": "reports",
    "ReportKind": "reports",
    "ReportSubject": "reports",
    "ReusableScanner": "scanners",
    "ScanContext": "scanners",
    "Scanner": "scanners",
    "SetupStep": "trees",
    "SignatureCheck": "packages",
    "SignatureVerifier": "signing",
    "Signer": "signing",
    "SignerFactory": "signing",
    "SigningKey": "signing",
    "Solver": "solving",
    "SteadyScanner": "scanners",
    "StopsClients": "trees",
    "Storage": "storage",
    "StorageFactory": "storage",
    "StorageProperties": "storage",
    "Surroundings": "surroundings",
    "TellsExcluded": "solving",
    "Transfer": "transfer",
    "TreeBuilder": "trees",
    "TreeFile": "trees",
    "TreeTools": "trees",
    "VERBATIM": "trees",
    "Validators": "transfer",
    "VersionKeys": "advisories",
    "VersionScheme": "indexes",
    "VersionView": "trees",
    "is_isolated": "scanners",
}
"""Name -> the module of this package that has it."""


if not TYPE_CHECKING:

    def __getattr__(name: str) -> object:
        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        globals()[name] = found = getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
        return found
