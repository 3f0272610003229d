"""The hooks that plugins implement (pluggy; entry-point group ``entrepot``).

A ``register_*`` hook hands over objects and does nothing else: it is called once, when the plugin manager is made, and
must be quick, so import what is heavy inside the objects' methods. An exception in it disables that plugin and is
reported by ``entrepot plugins`` (or ends the program, where ``[plugins] strict = true``).

Two objects of one name, from any plugins, are an error that names both plugins.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import pluggy

if TYPE_CHECKING:
    import click

    from entrepot.contracts import (
        AdvisoryFormat,
        ExecutorFactory,
        Format,
        NotifierFactory,
        ReportFormat,
        Scanner,
        SignerFactory,
        StorageFactory,
    )
    from entrepot.events import (
        AdvisoryMatched,
        ImportDecided,
        PackageImported,
        PackageWorsened,
        SourceSynced,
        TreePublished,
        VersionCreated,
    )

hookspec = pluggy.HookspecMarker("entrepot")
hookimpl = pluggy.HookimplMarker("entrepot")


@hookspec
def register_formats() -> Iterable[Format]:
    """Package formats: how to read an index and a package file, order versions, solve dependencies, render a tree.

    Example::

        @hookimpl
        def register_formats():
            return [OpkgFormat()]
    """
    return ()


@hookspec
def register_scanners() -> Iterable[Scanner]:
    """Scanners. Every one is asked about every package that comes in, in the order of their names.

    Example::

        @hookimpl
        def register_scanners():
            return [LicenceScanner()]
    """
    return ()


@hookspec
def register_advisory_formats() -> Iterable[AdvisoryFormat]:
    """Forms in which vulnerability data comes: what ``entrepot advisories add`` can read.

    Example::

        @hookimpl
        def register_advisory_formats():
            return [OvalFormat()]
    """
    return ()


@hookspec
def register_report_formats() -> Iterable[ReportFormat]:
    """Forms of reports: bills of materials, findings, statements about vulnerabilities.

    Example::

        @hookimpl
        def register_report_formats():
            return [SpreadsheetOfFindings()]
    """
    return ()


@hookspec
def register_storage() -> Iterable[StorageFactory]:
    """Storage backends, by URL scheme.

    Example::

        @hookimpl
        def register_storage():
            return [WebDavStorageFactory()]
    """
    return ()


@hookspec
def register_signers() -> Iterable[SignerFactory]:
    """What signs published trees: gpg by default, the seam for a KMS or a remote signing service.

    Example::

        @hookimpl
        def register_signers():
            return [VaultSignerFactory()]
    """
    return ()


@hookspec
def register_executors() -> Iterable[ExecutorFactory]:
    """Where parallel work runs, by URL scheme.

    Example::

        @hookimpl
        def register_executors():
            return [SlurmExecutorFactory()]
    """
    return ()


@hookspec
def register_notifiers() -> Iterable[NotifierFactory]:
    """Ways to tell somebody outside of events, by kind: what ``[notify.NAME]`` of the settings may ask for.

    Unlike what a hook below is told, an event is kept until a notifier has taken it.

    Example::

        @hookimpl
        def register_notifiers():
            return [MatrixNotifierFactory()]
    """
    return ()


@hookspec
def register_commands() -> Iterable[click.Command]:
    """Commands for the command line; the workspace is in ``click.get_current_context().obj``.

    Example::

        @hookimpl
        def register_commands():
            return [report_command]
    """
    return ()


@hookspec
def source_synced(event: SourceSynced) -> None:
    """A sync ended well, after its transaction. The return is ignored; an exception is reported and changes nothing.

    Example::

        @hookimpl
        def source_synced(event):
            print(event.source.name, event.counts.added)
    """


@hookspec
def package_imported(event: PackageImported) -> None:
    """A package became part of a version, after the transaction. Return and exceptions as in ``source_synced``.

    Example::

        @hookimpl
        def package_imported(event):
            print(event.result.package, event.result.version)
    """


@hookspec
def import_decided(event: ImportDecided) -> None:
    """A policy decided about an import, whatever it decided. Return and exceptions as in ``source_synced``.

    Example::

        @hookimpl
        def import_decided(event):
            print(event.result.status)
    """


@hookspec
def package_worsened(event: PackageWorsened) -> None:
    """A package that is in would not come in any more, after what follows from that: it is reported, held for review
    again or withdrawn. Called at every scan that finds it so and reports it, once where it is held or withdrawn.
    Return and exceptions as in ``source_synced``.

    Example::

        @hookimpl
        def package_worsened(event):
            print(event.package.name, event.action, event.reasons)
    """


@hookspec
def advisory_matched(event: AdvisoryMatched) -> None:
    """A scan found advisories that touch a package which is in and that nobody knew of before, whatever the policy
    makes of them; once for each package of a distribution. Return and exceptions as in ``source_synced``.

    Example::

        @hookimpl
        def advisory_matched(event):
            print(event.package.name, [finding.id for finding in event.findings])
    """


@hookspec
def version_created(event: VersionCreated) -> None:
    """A distribution has a new version, after the transaction. Return and exceptions as in ``source_synced``.

    Example::

        @hookimpl
        def version_created(event):
            print(event.distribution.path, event.version.number)
    """


@hookspec
def tree_published(event: TreePublished) -> None:
    """A tree is in place at one target. Return and exceptions as in ``source_synced``.

    Example::

        @hookimpl
        def tree_published(event):
            print(event.target.url, event.written)
    """
