"""Of which packages the scanner ``osv`` may say something else than it said: what ``SteadyScanner`` asks."""

from __future__ import annotations

import json

from entrepot.contracts import AdvisoryHistory, Changed, ScanContext
from entrepot_plugins.scanners.osv.settings import osv_settings
from entrepot_plugins.scanners.osv.vex_format import PREFIX


def mark(context: ScanContext, history: AdvisoryHistory) -> str:
    """The state of the data, of which ecosystems there is some, for how many days that has been too old, and where else
    clients of the distribution get packages from."""
    limit = osv_settings(context.settings).max_age_days
    ages = {name: (context.now - at).days for name, at in history.ecosystems().items() if not name.startswith(PREFIX)}
    old = {name: age if limit and age > limit else 0 for name, age in ages.items()}
    return json.dumps([history.state(), old, context.distribution.base_sources])


def changed(since: str, context: ScanContext, history: AdvisoryHistory) -> Changed | None:
    """The packages that changed advisories name; those with findings, too, where something else is offered now."""
    (number, sources, offers, telling), ages, bases = json.loads(since)
    (number_now, sources_now, offers_now, telling_now), ages_now, bases_now = json.loads(mark(context, history))
    if (sources, ages) != (sources_now, ages_now):
        return None  # which ecosystem a package belongs to may be another one, or old data is another day old
    if (telling or telling_now) and (number, offers) != (number_now, offers_now):
        return None  # nobody knows which of their packages the advisories of sources are about
    return Changed(history.changed(number), spoken=(offers, bases) != (offers_now, bases_now))
