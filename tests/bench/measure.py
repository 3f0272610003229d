"""Measuring: what a command cost, and the table that says how that compares."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tabulate import tabulate

LAUNCHER = Path(__file__).with_name("launch.py")
HEADINGS = ("job", "measured", "CPU s", "peak MiB", "compared with", "ratio", "budget", "")


@dataclass(frozen=True, slots=True)
class Cost:
    """Seconds of CPU (user and system, with the children that were waited for); MiB of the largest process."""

    cpu: float
    peak: float


@dataclass(frozen=True, slots=True)
class Command:
    """A program with its arguments and environment."""

    arguments: Sequence[str]
    environment: Mapping[str, str]
    folder: Path

    def cost(self) -> Cost:
        """Runs it as a whole process; a failure ends the bench with what the program printed."""
        report = self.folder / "cost.json"
        launcher = [sys.executable, "-S", "-E", str(LAUNCHER), str(report)]
        done = subprocess.run(
            [*launcher, *self.arguments], env=self.environment, cwd=self.folder, capture_output=True, text=True
        )
        result = json.loads(report.read_text()) if report.exists() else {"code": done.returncode}
        report.unlink(missing_ok=True)
        if result["code"]:
            raise RuntimeError(f"{' '.join(self.arguments[:6])} ended with {result['code']}: {done.stderr[-2000:]}")
        return Cost(result["cpu"], result["peak"] / 1024)


def median(commands: Sequence[Command]) -> Cost:
    """What is in the middle of the costs of commands that do the same, each run once."""
    return _middle([command.cost() for command in commands])


def in_turn(theirs: Sequence[Command], ours: Sequence[Command]) -> tuple[Cost, Cost]:
    """The medians of two programs that run alternately, so that other work of the machine meets both alike."""
    costs = [(their.cost(), our.cost()) for their, our in zip(theirs, ours, strict=True)]
    return _middle([their for their, _ in costs]), _middle([our for _, our in costs])


def _middle(costs: Sequence[Cost]) -> Cost:
    return Cost(statistics.median(cost.cpu for cost in costs), statistics.median(cost.peak for cost in costs))


@dataclass
class Report:
    """Rows of the table, in the order in which they were measured, and remarks below it."""

    rows: list[Sequence[str]] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)

    def cost(self, job: str, who: str, cost: Cost) -> Cost:
        """A figure that others are compared with."""
        self.rows.append((job, who, f"{cost.cpu:.2f}", f"{cost.peak:.0f}", "", "", "", ""))
        return cost

    def compare(self, job: str, cost: Cost, who: str, with_: Cost, budget: float | None) -> None:
        """Our CPU beside another's; ``budget`` is the largest ratio that we allow ourselves, if we set one."""
        ratio = cost.cpu / with_.cpu
        self._row(job, f"{cost.cpu:.2f}", f"{cost.peak:.0f}", f"CPU of {who}", ratio, budget)

    def compare_peak(self, job: str, cost: Cost, who: str, with_: float, budget: float) -> None:
        """Our peak memory beside another's, or beside a limit, in MiB."""
        self._row(job, f"{cost.cpu:.2f}", f"{cost.peak:.0f}", f"peak of {who}", cost.peak / with_, budget)

    def limit(self, job: str, what: str, found: float, allowed: float) -> None:
        """A figure of ours beside one that it may not exceed."""
        self._row(job, "", "", f"{what}: {found:.3g}, allowed {allowed:.3g}", found / allowed, 1.0)

    def figure(self, job: str, cost: Cost, what: str) -> None:
        """Something else that we cost besides CPU and memory."""
        self.rows.append((job, "entrepot", f"{cost.cpu:.2f}", f"{cost.peak:.0f}", what, "", "", ""))

    def count(self, job: str, what: str, found: float, allowed: float, *, least: bool = False) -> None:
        """A number of ours, and the most (or with ``least`` the least) that it may be."""
        good = found >= allowed if least else found <= allowed
        budget = f"{'>=' if least else '<='} {allowed:g}"
        self.rows.append((job, "entrepot", "", "", what, f"{found:.3g}", budget, "within" if good else "OVER"))

    def remark(self, text: str) -> None:
        """Something that a reader of the table has to know."""
        if text not in self.remarks:
            self.remarks.append(text)

    def _row(self, job: str, cpu: str, peak: str, against: str, ratio: float, budget: float | None) -> None:
        allowed, verdict = "", ""
        if budget is not None:
            allowed, verdict = f"{budget:g}", "within" if ratio <= budget else "OVER"
        self.rows.append((job, "entrepot", cpu, peak, against, f"{ratio:.2f}", allowed, verdict))

    def text(self) -> str:
        """The table."""
        table = tabulate(self.rows, HEADINGS, tablefmt="github", disable_numparse=True)
        return "\n".join([table, *(f"- {remark}" for remark in self.remarks)])
