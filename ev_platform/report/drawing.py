"""The health curve as a few shapes, which both pages draw: one set of numbers, so the two cannot differ. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ev_platform.report.content import Point

WIDTH, HEIGHT = 170.0, 58.0
"""Of the drawing, in millimetres."""

_LEFT, _RIGHT, _TOP, _BOTTOM = 16.0, 4.0, 4.0, 12.0
_STEPS = (2, 5, 10, 20)

Spot = tuple[float, float]


@dataclass(frozen=True)
class Drawing:
    """Coordinates in mm from the top left corner."""

    grid: tuple[tuple[Spot, Spot], ...]
    band: tuple[Spot, ...]
    seen: tuple[Spot, ...]
    ahead: tuple[Spot, ...]
    labels: tuple[tuple[Spot, str, str], ...]
    """(place, text, anchor: start, middle or end)."""


def curve(points: Sequence[Point]) -> Drawing:
    """State of health in percent over months, with its 95 % band; what is forecast is a line of its own."""
    low = min(min(point.low_percent for point in points), 90.0)
    high = max(max(point.high_percent for point in points), 100.0)
    step = next((step for step in _STEPS if (high - low) / step <= 6), _STEPS[-1])
    bottom, top = step * (low // step), step * -(-high // step)
    first, last = _months(points[0].month), _months(points[-1].month)
    span = max(last - first, 1)

    def at(month: str, percent: float) -> Spot:
        x = _LEFT + (WIDTH - _LEFT - _RIGHT) * (_months(month) - first) / span
        y = _TOP + (HEIGHT - _TOP - _BOTTOM) * (top - percent) / (top - bottom)
        return round(x, 2), round(y, 2)

    ticks = [bottom + step * n for n in range(round((top - bottom) / step) + 1)]
    rows = [(at(points[0].month, tick)[1], tick) for tick in ticks]
    named = [points[0], points[-1]] if len(points) > 1 else [points[0]]
    labels = [((_LEFT - 1.5, y + 1.0), f"{tick:.0f} %", "end") for y, tick in rows]
    labels += [((at(p.month, bottom)[0], HEIGHT - 6.0), p.month, "start" if p == points[0] else "end") for p in named]
    labels.append(
        ((WIDTH / 2, HEIGHT - 1.0), "month (dashed: forecast); band: 95 % range of state of health", "middle")
    )
    seen = [point for point in points if not point.forecast]
    ahead = [*seen[-1:], *(point for point in points if point.forecast)]
    upper = [at(point.month, point.high_percent) for point in points]
    lower = [at(point.month, point.low_percent) for point in reversed(points)]
    return Drawing(
        grid=tuple(((_LEFT, y), (WIDTH - _RIGHT, y)) for y, _ in rows),
        band=(*upper, *lower),
        seen=tuple(at(point.month, point.soh_percent) for point in seen),
        ahead=tuple(at(point.month, point.soh_percent) for point in ahead) if len(ahead) > 1 else (),
        labels=tuple(labels),
    )


def _months(month: str) -> int:
    return int(month[:4]) * 12 + int(month[5:7])
