"""The parts of the page in order, as words: both forms of the report are drawn from here. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from ev_platform.report.content import Method, Report


@dataclass(frozen=True)
class Words:
    """Headline, the sentences below it, and what both forms call things."""

    headline: str
    range: str
    capacity: str
    month: str
    reference: str


def words_of(report: Report) -> Words:
    """The published estimate in words; without one, why there is none."""
    health, new = report.health, report.reference_kwh
    reference = f"New: {new:.1f} kWh ({report.reference_source})" if new else "Capacity when new: not known"
    if health is None:
        return Words("No number", f"There is not enough evidence: {report.why_not}.", "", report.month, reference)
    return Words(
        f"{health.soh_percent:.1f} % of new",
        f"give or take {health.soh_sd:.1f} points; 95 % range {health.low_percent:.1f} to {health.high_percent:.1f} %",
        f"Usable now: {health.capacity_kwh:.1f} kWh, give or take {health.capacity_sd_kwh:.1f} kWh",
        report.month,
        reference,
    )


METHOD_HEAD = ("How it was found", "Capacity", "% of new", "Charges, drives", "Charge covered, %")


def method_rows(report: Report) -> list[tuple[str, str, str, str, str]]:
    """One row per estimator; one that found nothing says why."""
    return [
        (
            f"{method.name}: {method.note}" if method.note else method.name,
            _capacity(method),
            "" if method.soh_percent is None else f"{method.soh_percent:.1f}",
            f"{method.n_sessions}",
            f"{method.sum_delta_soc_percent:.0f}",
        )
        for method in report.methods
    ]


def _capacity(method: Method) -> str:
    """In kWh; in Ah where only that is known; the published row has both in the tables, and shows kWh."""
    for value, sd, unit in (
        (method.capacity_kwh, method.capacity_sd_kwh, "kWh"),
        (method.capacity_ah, method.capacity_sd_ah, "Ah"),
    ):
        if value is not None:
            return f"{value:.1f} {unit}" if sd is None else f"{value:.1f} ± {sd:.1f} {unit}"
    return "no number"
