"""`ev report VIN`: writes the report as HTML and PDF into a folder."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from ev_platform.errors import UserError
from ev_platform.lake.layout import valid_vin
from ev_platform.lake.store import ObjectStore
from ev_platform.report.html import to_html
from ev_platform.report.lake import report_of
from ev_platform.report.pdf import to_pdf
from ev_platform.settings import Settings


def run_report(settings: Settings, vin: str, folder: str) -> None:
    """Write `battery-report-VIN.html` and `.pdf` into a folder, and say what they say.

    Raises:
        UserError: the VIN is none, nothing is known of the vehicle, or the folder cannot be written.
    """
    if not valid_vin(vin):
        raise UserError(f"{vin!r} is not a VIN: 17 characters, digits and capital letters without I, O, Q")
    report = report_of(ObjectStore(settings.lake), vin)
    console = Console(highlight=False)
    for ending, data in (("html", to_html(report).encode()), ("pdf", to_pdf(report))):
        path = Path(folder) / f"battery-report-{vin}.{ending}"
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        except OSError as error:
            raise UserError(f"{path} cannot be written: {error.strerror}; choose another folder with --out") from error
        console.print(str(path), soft_wrap=True)
    health = report.health
    console.print(f"{health.soh_percent:.1f} % ± {health.soh_sd:.1f}" if health else f"no number: {report.why_not}")
    console.print(f"verification {report.verification}", soft_wrap=True)
