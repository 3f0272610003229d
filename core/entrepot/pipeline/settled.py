"""What a scan of a whole distribution need not look at: where nothing changed that verdicts or decisions depend on."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence
from contextlib import closing, suppress
from typing import TYPE_CHECKING

from entrepot.catalog.database import to_json
from entrepot.catalog.holdings import Holding
from entrepot.catalog.imports import StoredVerdict
from entrepot.catalog.settled import ScanState
from entrepot.contracts import AdvisoryHistory, ReusableScanner, SteadyScanner
from entrepot.errors import EntrepotError
from entrepot.models import Basis, Status
from entrepot.pipeline.evaluate import Evaluator, reads_files

if TYPE_CHECKING:
    from entrepot.catalog import Catalog


class Settled:
    """What still holds from the last scan of the distribution, and what this one leaves to the next.

    What scanners depend on is asked when it is made: before any package is looked at.
    """

    def __init__(self, catalog: Catalog, evaluator: Evaluator) -> None:
        self._catalog = catalog
        self._distribution = evaluator.distribution
        self._policy = _circumstances(evaluator)
        self._version = catalog.versions.latest(evaluator.distribution).number
        self._first = self._last = catalog.settled.last_verdict()
        self._alone = True
        self._marks: Mapping[str, str | None] = dict.fromkeys(evaluator.scanners)
        self._packages: Mapping[str, Collection[int]] = {}
        self.quiet: frozenset[int] = frozenset()
        """Packages of which nothing can have changed."""
        sample = catalog.holdings.sample(evaluator.distribution)
        if sample is None:
            return
        states = catalog.settled.states(evaluator.distribution)
        with closing(catalog.lookup()) as history:
            case, beside = evaluator.described(sample), evaluator.waiting.beside(sample)[0]
            self._marks = {
                name: evaluator.panel.mark(name, case, beside, history) or self._named(evaluator, name, sample, history)
                for name in evaluator.scanners
            }
            changed = {
                name: evaluator.panel.changed(name, state.mark, mark, case, history)
                for name, mark in self._marks.items()
                if mark is not None and (state := states.get(name))
            }
        self._packages = {
            name: catalog.settled.packages(self._distribution, name, states[name], found.names, spoken=found.spoken)
            for name, found in changed.items()
            if found is not None
        }
        if all(name in self._packages and states[name].policy == self._policy for name in evaluator.scanners):
            told = frozenset[int]().union(*(states[name].told for name in evaluator.scanners))
            self.quiet = frozenset.intersection(*map(frozenset, self._packages.values())) - told

    def _named(self, evaluator: Evaluator, name: str, sample: Holding, history: AdvisoryHistory) -> str | None:
        """The mark of a scanner that says nothing of what its verdicts depend on: what it names in one of them.

        That is its tool, with the data that this compares with; None where it names none. It may have asked the
        catalog for anything.
        """
        scanner = evaluator.scanners[name]
        before = self._catalog.imports.last_verdicts({sample.inspected}, self._distribution.id)
        known = before.get(sample.inspected, {}).get(name)
        if isinstance(scanner, ReusableScanner | SteadyScanner) or not (known and known.verdict.tool_version):
            return None
        said: Sequence[StoredVerdict] = ()
        # Whoever asks about every package finds out what is wrong with this one.
        with suppress(EntrepotError, OSError), evaluator.shown(sample, files=reads_files(scanner)) as case:
            said = evaluator.panel.ask(case, skip=evaluator.scanners.keys() - {name})
        for verdict in (stored.verdict for stored in said):
            if verdict.tool_version and verdict.status not in (Status.ERROR, Status.SKIPPED):
                basis = Basis(verdict.tool_version, verdict.database_version)
                asks = getattr(scanner, "asks_catalog", True)
                catalog = [history.state(), self._version, self._distribution.base_sources] if asks else []
                return to_json([evaluator.panel.digest(name, basis), catalog])
        return None

    def scanners(self, package_id: int) -> Collection[str]:
        """Those that would say of a package what they said."""
        return [name for name, packages in self._packages.items() if package_id in packages]

    def writes(self) -> None:
        """Has to be told, in the transaction, before a verdict is written ..."""
        if self._catalog.settled.last_verdict() != self._last:
            self._alone = False

    def wrote(self) -> None:
        """... and after it."""
        self._last = self._catalog.settled.last_verdict()

    def save(self, told: Collection[int]) -> None:
        """Leaves to the next scan that everything was looked at; ``told`` are packages that it has to look at again.

        What another command said of packages in the meantime is looked at again, too.
        """
        self.writes()
        last = self._last if self._alone else self._first
        self._catalog.settled.save(
            self._distribution,
            {
                name: ScanState(mark, self._policy, self._version, last, frozenset(told))
                for name, mark in self._marks.items()
                if mark is not None
            },
        )


def _circumstances(evaluator: Evaluator) -> str:
    """A digest of all that a decision depends on besides verdicts, waivers and the package."""
    policy, now = evaluator.policy, evaluator.now
    ignored = [entry.rule for entry in policy.vulnerabilities.ignore if entry.until is None or now < entry.until]
    sources = sorted((number, source.name) for number, (source, _) in evaluator.sources.items())
    return hashlib.sha256(to_json([policy.digest(), ignored, sources]).encode()).hexdigest()
