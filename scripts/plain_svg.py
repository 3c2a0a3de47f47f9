"""A plot as a small SVG file, without any plotting library: points, lines and bands on two axes.

Belongs here: drawing. Not here: what is drawn (rule_pictures.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 720, 400, 64, 16, 40, 48
COLOURS = ("#1f6fb4", "#d1495b", "#2e8b57", "#e09f3e", "#6c757d")


@dataclass
class Plot:
    """Data in data coordinates; `draw` scales them to fit."""

    title: str
    x_label: str
    y_label: str
    parts: list[tuple[str, str, Sequence[float], Sequence[float], Sequence[float], str]] = field(default_factory=list)

    def points(self, label: str, x: Sequence[float], y: Sequence[float], colour: str) -> None:
        """Dots."""
        self.parts.append(("points", label, x, y, y, colour))

    def line(self, label: str, x: Sequence[float], y: Sequence[float], colour: str) -> None:
        """A line through the points."""
        self.parts.append(("line", label, x, y, y, colour))

    def band(self, label: str, x: Sequence[float], low: Sequence[float], high: Sequence[float], colour: str) -> None:
        """The area between two lines."""
        self.parts.append(("band", label, x, low, high, colour))

    def write(self, path: Path) -> None:
        """The plot as an SVG file."""
        xs = [float(v) for part in self.parts for v in part[2]]
        ys = [float(v) for part in self.parts for values in part[3:5] for v in values]
        self._x, self._y = _span(xs), _span(ys)
        body = [self._part(part) for part in sorted(self.parts, key=lambda part: part[0] != "band")]
        text = "\n".join([_HEAD, *self._axes(), *body, *self._legend(), "</svg>\n"])
        path.write_text(text)

    def _at(self, x: float, y: float) -> tuple[str, str]:
        across = (x - self._x[0]) / (self._x[1] - self._x[0]) * (WIDTH - LEFT - RIGHT) + LEFT
        up = HEIGHT - BOTTOM - (y - self._y[0]) / (self._y[1] - self._y[0]) * (HEIGHT - TOP - BOTTOM)
        return f"{across:.1f}", f"{up:.1f}"

    def _part(self, part: tuple[str, str, Sequence[float], Sequence[float], Sequence[float], str]) -> str:
        kind, _, x, low, high, colour = part
        forward = [self._at(float(a), float(b)) for a, b in zip(x, low, strict=True)]
        if kind == "points":
            return "".join(f'<circle cx="{a}" cy="{b}" r="2.4" fill="{colour}" fill-opacity=".5"/>' for a, b in forward)
        if kind == "line":
            where = " ".join(",".join(at) for at in forward)
            return f'<polyline points="{where}" fill="none" stroke="{colour}" stroke-width="2"/>'
        back = [self._at(float(a), float(b)) for a, b in zip(x, high, strict=True)][::-1]
        where = " ".join(",".join(at) for at in [*forward, *back])
        return f'<polygon points="{where}" fill="{colour}" fill-opacity=".18"/>'

    def _axes(self) -> list[str]:
        lines = [f'<text x="{LEFT}" y="20" font-weight="bold">{self.title}</text>']
        for value in _ticks(*self._x):
            x, _ = self._at(value, self._y[0])
            lines.append(f'<line x1="{x}" x2="{x}" y1="{TOP}" y2="{HEIGHT - BOTTOM}" stroke="#e6e6e6"/>')
            lines.append(f'<text x="{x}" y="{HEIGHT - BOTTOM + 16}" text-anchor="middle">{value:g}</text>')
        for value in _ticks(*self._y):
            _, y = self._at(self._x[0], value)
            lines.append(f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y}" y2="{y}" stroke="#e6e6e6"/>')
            lines.append(f'<text x="{LEFT - 6}" y="{float(y) + 4:.1f}" text-anchor="end">{value:g}</text>')
        middle = (TOP + HEIGHT - BOTTOM) / 2
        lines.append(f'<text x="{WIDTH / 2}" y="{HEIGHT - 10}" text-anchor="middle">{self.x_label}</text>')
        turned = f'transform="rotate(-90 16 {middle})"'
        lines.append(f'<text x="16" y="{middle}" text-anchor="middle" {turned}>{self.y_label}</text>')
        return lines

    def _legend(self) -> list[str]:
        named = [(label, colour) for _, label, _, _, _, colour in self.parts if label]
        lines = []
        for number, (label, colour) in enumerate(named):
            y = TOP + 14 + 17 * number
            lines.append(f'<rect x="{LEFT + 10}" y="{y - 9}" width="12" height="9" fill="{colour}"/>')
            lines.append(f'<text x="{LEFT + 28}" y="{y}">{label}</text>')
        return lines


_HEAD = (
    f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" font-size="12">'
    f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>'
)


def _span(values: Sequence[float]) -> tuple[float, float]:
    low, high = min(values), max(values)
    room = (high - low or 1.0) * 0.05
    return low - room, high + room


def _ticks(low: float, high: float) -> list[float]:
    rough = (high - low) / 6
    size = 10.0 ** len(str(int(rough))) if rough >= 1 else 1.0
    while size > rough:
        size /= 10
    step = next(size * m for m in (1, 2, 5, 10) if size * m >= rough)
    first = int(low / step) - 1
    return [round(step * k, 10) for k in range(first, first + 20) if low <= step * k <= high]
