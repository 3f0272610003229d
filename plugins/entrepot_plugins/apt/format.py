"""The format ``apt``: its options, and its six members, each imported when it is first asked for."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from entrepot.contracts import Option
from entrepot_plugins.shared.limited import Limited

if TYPE_CHECKING:
    from entrepot.contracts import ClientFiles, IndexReader, PackageReader, Solver, TreeBuilder, VersionScheme
    from entrepot.models import ListedPackage

SOURCE_OPTIONS = (
    Option("sources", "read the indexes of source packages, too"),
    Option("udebs", "read the indexes of the installer's packages, too"),
    Option("ignore_missing_indices", "go on without an index that the Release file names and the server does not have"),
    Option("verbatim", "keep the indexes as they come, for distributions that publish them so"),
    Option("verbatim_with", "what of them besides: contents, translations, dep11, cnf, installer, or all", str, ""),
    Option("allow_weak", "accept indexes of which only MD5 or SHA-1 digests are known"),
    Option("allow_stale", "accept a Release file that is older than the last one, or past its Valid-Until"),
)

_STOPS = "apt-get update stops on every client until somebody there agrees (--allow-releaseinfo-change)"

DISTRIBUTION_OPTIONS = (
    Option(
        "verbatim",
        "publish the indexes of its source as they came, with every package that they name",
        caution="clients need the key of the source in place of that of the repository",
    ),
    Option("origin", "Origin of the Release file; the repository's if empty", str, "", _STOPS),
    Option("label", "Label of the Release file; the repository's if empty", str, "", _STOPS),
    Option(
        "suite",
        "Suite of the Release file; the distribution's name if empty",
        str,
        "",
        "clients whose preferences name the suite (release a=...) do not apply them any more",
    ),
    Option("codename", "Codename of the Release file; the distribution's name if empty", str, "", _STOPS),
    Option("version", "Version of the Release file", str, ""),
    Option("description", "Description of the Release file", str, ""),
    Option("not_automatic", "clients take packages from here only when told to (NotAutomatic)", caution=_STOPS),
    Option(
        "but_automatic_upgrades",
        "... and upgrade those that they took from here (ButAutomaticUpgrades)",
        caution=_STOPS,
    ),
    Option("contents", "indexes of the files in packages (Contents-ARCH.gz), for apt-file"),
    Option("udebs", "indexes of the installer's packages, which are there anyway once there is one"),
    Option("translations", "long descriptions in Translation-en instead of Packages, which is smaller then"),
    Option(
        "valid_days",
        "days until clients refuse the Release file (Valid-Until); 0: never",
        int,
        0,
        "`entrepot publish --refresh` has to run more often than every half of that time",
    ),
)


class AptFormat(Limited):
    """APT repositories. The members are lazy, so that a command which needs one of them pays for that one only."""

    name = "apt"
    title = "APT (Debian)"
    independent_architecture = "all"
    source_options: tuple[Option, ...] = SOURCE_OPTIONS
    distribution_options: tuple[Option, ...] = DISTRIBUTION_OPTIONS

    @cached_property
    def versions(self) -> VersionScheme:
        """dpkg's order of versions."""
        from .version import DebianVersions

        return DebianVersions()

    @cached_property
    def index(self) -> IndexReader:
        """Reads Release, Packages and Sources files."""
        from .index import AptIndexReader

        return AptIndexReader()

    @cached_property
    def packages(self) -> PackageReader:
        """Reads .deb, .udeb and .dsc files."""
        from .debfile import DebReader, Limits

        return DebReader(Limits(data=self.unpacking))

    @cached_property
    def solver(self) -> Solver:
        """Finds the dependencies of packages."""
        from .solver import AptSolver

        return AptSolver()

    @cached_property
    def tree(self) -> TreeBuilder:
        """Renders distributions."""
        from .tree import AptTree

        return AptTree()

    @cached_property
    def clients(self) -> ClientFiles:
        """Reads sources.list files."""
        from .client_files import AptClientFiles

        return AptClientFiles()

    def purl(self, package: ListedPackage) -> str:
        """Package URLs of the type ``deb``."""
        from .purl import deb_purl

        return deb_purl(package)
