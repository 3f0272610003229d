"""Asks the solver of the RPM format about packages that are written down in a line each."""

from __future__ import annotations

from entrepot.contracts import Closure
from entrepot_plugins.rpm.solver import RpmSolver
from support.rpm_shelf import Shelf, label, package


def solve(wanted: str, *lines: str, recommends: bool = False, machine: str = "x86_64") -> Closure:
    """The closure of ``wanted`` (names, NAME=VERSION or NAME:ARCHITECTURE) over the packages of ``lines``."""
    shelf = Shelf(map(package, lines))
    found = [shelf.find(text) for text in wanted.split()]
    return RpmSolver().closure(found, shelf, architecture=machine, recommends=recommends)


def brought(closure: Closure) -> str:
    """NAME=VERSION of what a closure that has been found brings, in its order."""
    assert (closure.missing, closure.conflicts) == ((), ())
    return " ".join(map(label, closure.packages))
