"""The report as one HTML file: no script, nothing fetched, readable in light and dark, printable on one page. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from ev_platform.report.content import NOT_MEANT, Report
from ev_platform.report.drawing import HEIGHT, WIDTH, Spot, curve
from ev_platform.report.page import METHOD_HEAD, method_rows, words_of

_STYLE = """
:root { color-scheme: light dark; --ink: #14213d; --soft: #5b6475; --line: #c9ced8; --paper: #fff; --accent: #1d5fa8; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #eef1f6; --soft: #b3bac8; --line: #454c5c; --paper: #14171d; --accent: #7fb4ee; }
}
@page { size: A4; margin: 12mm; }
body { font: 15px/1.45 system-ui, sans-serif; color: var(--ink); background: var(--paper); }
body { max-width: 46rem; margin: 1.5rem auto; padding: 0 1rem; }
@media print { body { font-size: 12px; margin: 0; max-width: none; } }
h1 { font-size: 1.5rem; margin: 0; } h2 { font-size: 1.05rem; margin: 1.2rem 0 .3rem; } p { margin: .3rem 0; }
.soft { color: var(--soft); }
.headline { font-size: 2.4rem; font-weight: 700; color: var(--accent); margin: .6rem 0 0; }
.pair { display: grid; grid-template-columns: 1fr 1fr; gap: 0 2rem; }
table { border-collapse: collapse; width: 100%; } th { font-weight: 600; }
th, td { text-align: left; padding: .18rem .4rem .18rem 0; border-bottom: 1px solid var(--line); vertical-align: top; }
td.number, th.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
svg { width: 100%; height: auto; } svg text { font: 3.2px system-ui, sans-serif; fill: var(--soft); }
ul { margin: .2rem 0; padding-left: 1.2rem; } code { font-size: .8rem; overflow-wrap: anywhere; }
"""


def to_html(report: Report) -> str:
    """The page; the same report gives the same bytes."""
    words = words_of(report)
    parts = [
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">',
        f"<title>Battery report {escape(report.vin)}</title>",
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><style>{_STYLE}</style></head>',
        "<body><main>",
        f'<h1>Battery report: {escape(report.title)}</h1><p class="soft">Month {escape(words.month)}</p>',
        f'<p class="headline">{escape(words.headline)}</p><p>{escape(words.range)}</p>',
        f"<p>{escape(words.capacity)}<br>{escape(words.reference)}</p>",
        '<div class="pair"><section><h2>The car</h2>', _pairs(report.facts), "</section>",
        "<section><h2>Cars like it</h2>", _pairs(report.peers) or "<p>No comparison yet.</p>", "</section></div>",
        "<h2>Health over time</h2>", _chart(report), "<h2>Evidence</h2>", _table(METHOD_HEAD, method_rows(report)),
        '<div class="pair"><section><h2>How it was charged</h2>', _pairs(report.habits), "</section>",
        "<section><h2>What the number does not mean</h2><ul>",
        *(f"<li>{escape(line)}</li>" for line in NOT_MEANT),
        "</ul></section></div><h2>Verification</h2>",
        f"<p>Whoever holds the data gets this id again with <code>ev report {escape(report.vin)}</code>:<br>",
        f"<code>{report.verification}</code></p></main></body></html>\n",
    ]  # fmt: skip
    return "".join(parts)


def _pairs(rows: Sequence[tuple[str, str]]) -> str:
    if not rows:
        return ""
    lines = (f'<tr><th scope="row">{escape(name)}</th><td>{escape(value)}</td></tr>' for name, value in rows)
    return f"<table>{''.join(lines)}</table>"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    kinds = ["", *[' class="number"'] * (len(head) - 1)]
    top = "".join(f'<th scope="col"{kind}>{escape(name)}</th>' for name, kind in zip(head, kinds, strict=True))
    body = "".join(
        "<tr>" + "".join(f"<td{kind}>{escape(cell)}</td>" for cell, kind in zip(row, kinds, strict=True)) + "</tr>"
        for row in rows
    )
    return f"<table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table>"


def _chart(report: Report) -> str:
    if not report.curve:
        return "<p>No month has a number yet.</p>"
    drawn = curve(report.curve)
    last = report.curve[-1]
    meaning = (
        f"State of health from {report.curve[0].month} to {last.month}, at the end {last.soh_percent:.1f} percent."
    )
    stroke = 'fill="none" stroke="var(--accent)"'
    lines = [
        f'<svg viewBox="0 0 {WIDTH:g} {HEIGHT:g}" role="img" aria-label="{escape(meaning)}">',
        *(
            f'<line x1="{a[0]}" y1="{a[1]}" x2="{b[0]}" y2="{b[1]}" stroke="var(--line)" stroke-width=".2"/>'
            for a, b in drawn.grid
        ),
        f'<polygon points="{_path(drawn.band)}" fill="var(--accent)" opacity=".18"/>',
        f'<polyline points="{_path(drawn.seen)}" {stroke} stroke-width=".8"/>',
        *(f'<circle cx="{x}" cy="{y}" r=".9" fill="var(--accent)"/>' for x, y in drawn.seen),
        f'<polyline points="{_path(drawn.ahead)}" {stroke} stroke-width=".6" stroke-dasharray="2 1.4"/>',
        *(
            f'<text x="{x}" y="{y}" text-anchor="{anchor}">{escape(text)}</text>'
            for (x, y), text, anchor in drawn.labels
        ),
        "</svg>",
    ]
    return "".join(lines)


def _path(spots: Sequence[Spot]) -> str:
    return " ".join(f"{x},{y}" for x, y in spots)
