"""The report as a PDF of one A4 page, drawn by fpdf2 with a fixed date and id: the same report gives the same bytes."""

from __future__ import annotations

from collections.abc import Sequence

from fpdf import FPDF
from fpdf.enums import XPos, YPos

from ev_platform.report.content import NOT_MEANT, Report
from ev_platform.report.drawing import HEIGHT, Spot, curve
from ev_platform.report.page import METHOD_HEAD, method_rows, words_of

_INK, _SOFT, _LINE, _ACCENT, _BAND = (20, 33, 61), (91, 100, 117), (201, 206, 216), (29, 95, 168), (214, 226, 240)
_MARGIN = 20.0
_METHOD_WIDTHS = (76.0, 30.0, 18.0, 22.0, 24.0)


def to_pdf(report: Report) -> bytes:
    """The page. Core fonts only, so characters beyond Latin-1 become question marks."""
    pdf = FPDF(format="A4")
    pdf.set_creation_date(report.made_of)
    pdf.set_title(f"Battery report {report.vin}")
    pdf.set_lang("en")
    pdf.set_margins(_MARGIN, 16.0)
    pdf.set_auto_page_break(auto=False)
    pdf.add_page()
    words = words_of(report)
    _line(pdf, f"Battery report: {report.title}", 17, bold=True, height=8)
    _line(pdf, f"Month {words.month}", 9, color=_SOFT)
    _line(pdf, words.headline, 26, bold=True, color=_ACCENT, height=13)
    for text in (words.range, words.capacity, words.reference):
        if text:
            _line(pdf, text, 10)
    top = pdf.get_y() + 2
    ends = [_pairs(pdf, "The car", report.facts, _MARGIN, top)]
    ends.append(_pairs(pdf, "Cars like it", report.peers or (("Comparison", "none yet"),), 108.0, top))
    pdf.set_xy(_MARGIN, max(ends) + 2)
    _line(pdf, "Health over time", 11, bold=True, height=6)
    _chart(pdf, report)
    _line(pdf, "Evidence", 11, bold=True, height=6)
    _methods(pdf, report)
    top = pdf.get_y() + 2
    left = _pairs(pdf, "How it was charged", report.habits, _MARGIN, top)
    right = _list(pdf, "What the number does not mean", NOT_MEANT, 108.0, top)
    pdf.set_xy(_MARGIN, max(left, right) + 2)
    _line(pdf, "Verification", 11, bold=True, height=6)
    _line(pdf, f"Whoever holds the data gets this id again with: ev report {report.vin}", 8.5, color=_SOFT)
    _line(pdf, report.verification, 8.5)
    return bytes(pdf.output())


def _text(text: str) -> str:
    return text.encode("latin-1", "replace").decode("latin-1")


def _line(
    pdf: FPDF, text: str, size: float, *, bold: bool = False, color: tuple[int, int, int] = _INK, height: float = 5
) -> None:
    pdf.set_font("helvetica", "B" if bold else "", size)
    pdf.set_text_color(*color)
    pdf.cell(0, height, _text(text), new_x=XPos.LMARGIN, new_y=YPos.NEXT)


def _pairs(pdf: FPDF, title: str, rows: Sequence[tuple[str, str]], x: float, y: float) -> float:
    """A small table of names and values; returns where it ends."""
    pdf.set_xy(x, y)
    pdf.set_font("helvetica", "B", 11)
    pdf.set_text_color(*_INK)
    pdf.cell(80, 6, _text(title))
    y += 6
    for name, value in rows:
        pdf.set_xy(x, y)
        pdf.set_font("helvetica", "", 9)
        pdf.set_text_color(*_SOFT)
        pdf.cell(36, 4.6, _text(name))
        pdf.set_text_color(*_INK)
        pdf.multi_cell(44, 4.6, _text(value), align="L")
        y = max(y + 4.6, pdf.get_y())
    return y


def _list(pdf: FPDF, title: str, lines: Sequence[str], x: float, y: float) -> float:
    pdf.set_xy(x, y)
    pdf.set_font("helvetica", "B", 11)
    pdf.set_text_color(*_INK)
    pdf.cell(80, 6, _text(title))
    y += 6
    pdf.set_font("helvetica", "", 8.5)
    for line in lines:
        pdf.set_xy(x, y)
        pdf.multi_cell(82, 4.1, _text(f"- {line}"), align="L")
        y = pdf.get_y() + 0.6
    return y


def _methods(pdf: FPDF, report: Report) -> None:
    for number, row in enumerate([METHOD_HEAD, *method_rows(report)]):
        pdf.set_font("helvetica", "B" if number == 0 else "", 8)
        pdf.set_text_color(*(_SOFT if number == 0 else _INK))
        y = pdf.get_y()
        bottom = y
        for column, (cell, width) in enumerate(zip(row, _METHOD_WIDTHS, strict=True)):
            pdf.set_xy(_MARGIN + sum(_METHOD_WIDTHS[:column]), y)
            pdf.multi_cell(width, 4.2, _text(cell), align="L" if column == 0 else "R")
            bottom = max(bottom, pdf.get_y())
        pdf.set_draw_color(*_LINE)
        pdf.line(_MARGIN, bottom, _MARGIN + sum(_METHOD_WIDTHS), bottom)
        pdf.set_xy(_MARGIN, bottom + 0.4)


def _chart(pdf: FPDF, report: Report) -> None:
    if not report.curve:
        _line(pdf, "No month has a number yet.", 9)
        return
    drawn, left, top = curve(report.curve), _MARGIN, pdf.get_y()

    def at(spot: Spot) -> Spot:
        return left + spot[0], top + spot[1]

    pdf.set_fill_color(*_BAND)
    pdf.polygon([at(spot) for spot in drawn.band], style="F")
    pdf.set_draw_color(*_LINE)
    pdf.set_line_width(0.15)
    for a, b in drawn.grid:
        pdf.line(*at(a), *at(b))
    pdf.set_draw_color(*_ACCENT)
    pdf.set_fill_color(*_ACCENT)
    pdf.set_line_width(0.6)
    if len(drawn.seen) > 1:
        pdf.polyline([at(spot) for spot in drawn.seen])
    for x, y in map(at, drawn.seen):
        pdf.circle(x=x, y=y, radius=0.8, style="F")
    if drawn.ahead:
        pdf.set_dash_pattern(dash=1.6, gap=1.2)
        pdf.polyline([at(spot) for spot in drawn.ahead])
        pdf.set_dash_pattern()
    pdf.set_line_width(0.2)
    pdf.set_font("helvetica", "", 8)
    pdf.set_text_color(*_SOFT)
    for spot, text, anchor in drawn.labels:
        x, y = at(spot)
        width = pdf.get_string_width(text)
        pdf.text(x - {"start": 0.0, "middle": width / 2, "end": width}[anchor], y, _text(text))
    pdf.set_xy(_MARGIN, top + HEIGHT + 2)
