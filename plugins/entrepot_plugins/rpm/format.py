"""The format ``rpm``: its options, and its six members, each imported when it is first asked for."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from entrepot.contracts import Option
from entrepot_plugins.shared.limited import Limited

if TYPE_CHECKING:
    from entrepot.contracts import ClientFiles, IndexReader, PackageReader, Solver, TreeBuilder, VersionScheme
    from entrepot.models import ListedPackage

SOURCE_OPTIONS = (
    Option("mirrorlist", "the URL is that of a list of mirrors, one a line"),
    Option("metalink", "the URL is that of a metalink: mirrors with preferences, and digests of repomd.xml"),
    Option("repo_gpgcheck", "require a signature of repomd.xml (repomd.xml.asc) by a key of the source"),
    Option("releasever", "what $releasever in a URL or a .repo file stands for", str, ""),
    Option("basearch", "what $basearch in a URL or a .repo file stands for", str, ""),
    Option("verbatim", "keep the indexes as they come, for distributions that publish them so"),
    Option("allow_weak", "accept indexes and packages of which only MD5 or SHA-1 digests are known"),
    Option("allow_stale", "accept a repomd.xml that is older than the last one"),
    Option("images", "read .treeinfo, and fetch what it lists: the files of an installer that boots over the network"),
    Option("mirrors", "further base URLs of the same repository, separated by blanks", str, ""),
)

DISTRIBUTION_OPTIONS = (
    Option(
        "verbatim",
        "publish the indexes of its source as they came, with every package that they name",
        caution="clients need the key of the source in place of that of the repository",
    ),
    Option(
        "gpgcheck",
        "the .repo file tells clients to check the packages' own signatures, too; repomd.xml's they check anyway",
        caution="clients refuse packages that are not signed by the repository's key or one that gpgkey names",
    ),
    Option("gpgkey", "URLs of further keys for gpgcheck (upstream's), between blanks", str, ""),
)


class RpmFormat(Limited):
    """RPM repositories. The members are lazy, so that a command which needs one of them pays for that one only."""

    name = "rpm"
    title = "RPM (Fedora, RHEL, openSUSE)"
    independent_architecture = "noarch"
    source_options: tuple[Option, ...] = SOURCE_OPTIONS
    distribution_options: tuple[Option, ...] = DISTRIBUTION_OPTIONS

    @cached_property
    def versions(self) -> VersionScheme:
        """rpm's order of epochs, versions and releases."""
        from .version import RpmVersions

        return RpmVersions()

    @cached_property
    def index(self) -> IndexReader:
        """Reads repomd.xml and what it lists."""
        from .index import RpmIndexReader

        return RpmIndexReader()

    @cached_property
    def packages(self) -> PackageReader:
        """Reads .rpm files."""
        from .header import RpmReader
        from .structure import Limits

        return RpmReader(Limits(payload=self.unpacking))

    @cached_property
    def solver(self) -> Solver:
        """Finds the dependencies of packages."""
        from .solver import RpmSolver

        return RpmSolver()

    @cached_property
    def tree(self) -> TreeBuilder:
        """Renders distributions."""
        from .tree import RpmTree

        return RpmTree()

    @cached_property
    def clients(self) -> ClientFiles:
        """Reads .repo files."""
        from .client_files import RpmClientFiles

        return RpmClientFiles()

    def purl(self, package: ListedPackage) -> str:
        """Package URLs of the type ``rpm``."""
        from .purl import rpm_purl

        return rpm_purl(package)
