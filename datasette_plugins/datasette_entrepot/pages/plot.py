"""A plot of sizes over time as SVG, made here: it needs no script, and can be read by those who do not see it."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from entrepot.services.overview import SizePoint

WIDTH, HEIGHT = 760, 260
LEFT, RIGHT, TOP, BOTTOM = 64, 16, 14, 30
MOST_LINES = 8
LINES = (
    ("#276890", ""),
    ("#b4460f", "6 3"),
    ("#3c7a3c", "2 3"),
    ("#7b3f98", "9 3 2 3"),
    ("#8a6d00", "4 2"),
    ("#0f7f86", "1 2"),
    ("#a0304f", "8 4"),
    ("#4a4a4a", "3 5"),
)
"""Colour and dashes of each line: neither is needed to tell them apart where the other is."""


@dataclass(frozen=True, slots=True)
class Line:
    """A distribution in the plot, for its legend."""

    name: str
    colour: str
    dashes: str
    points: Sequence[SizePoint]


@dataclass(frozen=True, slots=True)
class Plot:
    """The picture, what its lines are, and how many distributions there are that it leaves out."""

    svg: Markup
    lines: Sequence[Line]
    left_out: int


def plot(sizes: Mapping[str, Sequence[SizePoint]], now: dt.datetime) -> Plot | None:
    """The largest distributions in bytes, as steps from version to version; None where nothing came in yet."""
    held = {name: points for name, points in sizes.items() if any(point.bytes for point in points)}
    chosen = sorted(held, key=lambda name: -held[name][-1].bytes)[:MOST_LINES]
    if not chosen:
        return None
    lines = [Line(name, *LINES[at], held[name]) for at, name in enumerate(chosen)]
    first = min(_seconds(line.points[0]) for line in lines)
    last = max(now.timestamp(), *(_seconds(line.points[-1]) for line in lines), first + 60)
    most = _ceiling(max(point.bytes for line in lines for point in line.points))
    scale = _Scale(first, last, most)
    parts = [*_grid(scale), *(_path(line, scale) for line in lines)]
    newest = ", ".join(f"{line.name} {_size(line.points[-1].bytes)}" for line in lines)
    head = Markup(
        '<svg class="ep-plot" viewBox="0 0 {} {}" role="img" aria-labelledby="ep-plot-title ep-plot-desc">'
        '<title id="ep-plot-title">Size of distributions over time</title>'
        '<desc id="ep-plot-desc">From {} to {}. Now: {}.</desc>'
    ).format(WIDTH, HEIGHT, _day(first), _day(last), newest)
    return Plot(head + Markup("").join(parts) + Markup("</svg>"), lines, len(held) - len(chosen))


@dataclass(frozen=True, slots=True)
class _Scale:
    first: float
    last: float
    most: float

    def x(self, seconds: float) -> float:
        share = (seconds - self.first) / (self.last - self.first)
        return LEFT + share * (WIDTH - LEFT - RIGHT)

    def y(self, count: float) -> float:
        return HEIGHT - BOTTOM - count / self.most * (HEIGHT - TOP - BOTTOM)


def _grid(scale: _Scale) -> list[Markup]:
    parts = []
    for step in range(5):
        count = scale.most * step / 4
        y = scale.y(count)
        parts.append(
            Markup(
                '<line class="ep-grid" x1="{}" x2="{}" y1="{:.1f}" y2="{:.1f}"/>'
                '<text class="ep-axis" x="{}" y="{:.1f}" text-anchor="end">{}</text>'
            ).format(LEFT, WIDTH - RIGHT, y, y, LEFT - 6, y + 4, _size(count))
        )
    ends = ((scale.first, "start"), ((scale.first + scale.last) / 2, "middle"), (scale.last, "end"))
    for seconds, anchor in ends:
        parts.append(
            Markup('<text class="ep-axis" x="{:.1f}" y="{}" text-anchor="{}">{}</text>').format(
                scale.x(seconds), HEIGHT - 8, anchor, _label(seconds, scale.last - scale.first)
            )
        )
    return parts


def _path(line: Line, scale: _Scale) -> Markup:
    steps = []
    for at, point in enumerate(line.points):
        x, y = scale.x(_seconds(point)), scale.y(point.bytes)
        steps.append(f"M{x:.1f} {y:.1f}" if at == 0 else f"H{x:.1f}V{y:.1f}")
    steps.append(f"H{scale.x(scale.last):.1f}")
    return Markup(
        '<path d="{}" fill="none" stroke="{}" stroke-width="2" stroke-dasharray="{}"><title>{}</title></path>'
    ).format("".join(steps), line.colour, line.dashes or "none", line.name)


def _ceiling(count: float) -> float:
    """A round number not below this one, which four steps divide well."""
    unit = 10.0 ** math.floor(math.log10(count)) if count > 0 else 1.0
    return next(unit * factor for factor in (1, 2, 4, 8, 10) if unit * factor >= count)


def _size(count: float) -> str:
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.3g} {unit}"
        count /= 1000
    return f"{count:.3g} TB"


def _seconds(point: SizePoint) -> float:
    return dt.datetime.fromisoformat(point.created_at).timestamp()


def _label(seconds: float, span: float) -> str:
    moment = dt.datetime.fromtimestamp(seconds, dt.UTC)
    return moment.strftime("%H:%M" if span < 36 * 3600 else "%Y-%m-%d")


def _day(seconds: float) -> str:
    return dt.datetime.fromtimestamp(seconds, dt.UTC).strftime("%Y-%m-%d %H:%M")
