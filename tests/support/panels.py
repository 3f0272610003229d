"""A panel of scanners without a workspace, for what concerns scanners only.

::

    with panel_of(tmp_path, Odd("odd", hang), timeout=1) as panel:
        (stored,) = panel.ask(toy_case(tmp_path))
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from entrepot.contracts import Scanner
from entrepot.isolation import Case, Offers, ScanServices
from entrepot.models import Distribution
from entrepot.pipeline.inspect import Subject, read_case
from entrepot.pipeline.panel import Earlier, Panel, open_panel
from entrepot.pipeline.surroundings import DistributionSurroundings
from entrepot.settings import InspectionSettings, Limits
from support.scans import NOW, a_distribution
from support.toy import ToyFormat, make_toy


@contextmanager
def panel_of(
    folder: Path,
    *scanners: Scanner,
    settings: Mapping[str, Mapping[str, Any]] | None = None,
    earlier: Earlier | None = None,
    workers: int = 2,
    serve: int = 1000,
    timeout: int = 60,
    offers: Callable[[Distribution], Offers] | None = None,
) -> Iterator[Panel]:
    """The scanners with tight limits, for toys; there are no advisories, and nothing but ``offers`` to ask."""
    scratch = folder / "scratch"
    scratch.mkdir(exist_ok=True)
    services = ScanServices(
        {"toy": ToyFormat()},
        {scanner.name: scanner for scanner in scanners},
        settings or {},
        offers=offers,
        surroundings=DistributionSurroundings,
    )
    inspection = InspectionSettings(Limits(timeout, 200, 64), workers=workers, serve=serve)
    with open_panel(services, inspection, scratch, earlier, workers) as panel:
        yield panel


def toy_case(folder: Path, name: str = "robot", text: str = "beep") -> Case:
    """A toy as it is shown to scanners."""
    return read_case(Subject((make_toy(folder, name, text=text),)), ToyFormat(), a_distribution("toy"), NOW)
