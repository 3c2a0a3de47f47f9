"""The battery report: the tables' figures and no others, the same bytes every time, honest where there is no number."""

import os
import re
import subprocess
import sys
import zlib
from datetime import UTC, date, datetime
from html import unescape

import pyarrow as pa
import pytest

from ev_platform.commands.report import run_report
from ev_platform.errors import UserError
from ev_platform.lake import layout
from ev_platform.lake.schemas import BATTERY_HEALTH
from ev_platform.lake.schemas_results import (
    BATTERY_DEGRADATION,
    BATTERY_HEALTH_FILTERED,
    CHARGING,
    PEER_PERCENTILES,
    SOC_HISTOGRAM,
    VEHICLE_BATTERY,
)
from ev_platform.lake.store import ObjectStore
from ev_platform.lake.tables import to_parquet
from ev_platform.report.content import REASONS, NoReportError, build
from ev_platform.report.drawing import HEIGHT, WIDTH, curve
from ev_platform.report.html import to_html
from ev_platform.report.lake import report_of
from ev_platform.report.pdf import to_pdf
from ev_platform.settings import load_settings

VIN, OTHER = "EVPTESLA001000001", "EVPTESLA001000002"
SEEN = datetime(2026, 11, 7, 23, 59, tzinfo=UTC)


def row(schema, **known):
    return {name: known.get(name) for name in schema.names}


CAR = {
    "vin": VIN, "make": "Tesla", "model": "Model 3 LR", "first_registration": date(2023, 4, 1), "last_seen": SEEN,
    "odometer_km": 61_234.5, "month": "2026-11", "soh_percent": 91.26, "soh_sd": 1.13, "soh_low_percent": 89.0,
    "soh_high_percent": 93.5, "capacity_kwh": 68.44, "capacity_sd_kwh": 0.85, "reference_capacity_kwh": 75.0,
    "reference_source": "registry", "charged_kwh": 9_876.0, "dc_share_percent": 23.0, "completeness_percent": 97.0,
    "equivalent_full_cycles": 151.0, "reasons": [],
}  # fmt: skip


def car(**changed):
    return row(VEHICLE_BATTERY, **CAR | changed)


def near(percent, width):
    return {"soh_low_percent": percent - width, "soh_high_percent": percent + width}


def tables(**changed):
    """Tables of two vehicles, of which one is asked for."""
    methods = [
        row(BATTERY_HEALTH, vin=VIN, month="2026-11", method=method, n_sessions=n, sum_delta_soc=50.0 * n, **found)
        for method, n, found in [
            (
                "energy_remaining",
                12,
                {"capacity_kwh": 68.3, "capacity_sd_kwh": 0.9, "soh_percent": 91.1, "reasons": []},
            ),
            ("current", 7, {"capacity_ah": 190.25, "capacity_sd_ah": 2.5, "reasons": []}),
            ("charge_energy", 1, {"reasons": ["too_little_evidence"]}),
            ("pooled", 13, {"capacity_kwh": 68.44, "capacity_sd_kwh": 0.85, "soh_percent": 91.26, "reasons": []}),
        ]
    ]
    months = [("2026-09", 92.0), ("2026-10", 91.6), ("2026-11", 91.26)]
    band = {"quantity": "energy"}
    seen = [
        row(
            BATTERY_HEALTH_FILTERED,
            vin=VIN,
            month=m,
            soh_percent=p,
            soh_low_percent=p - 2,
            soh_high_percent=p + 2,
            **band,
        )
        for m, p in months
    ]
    ahead = [
        row(BATTERY_DEGRADATION, vin=VIN, month=m, soh_percent=p, **band, **near(p, 4))
        for m, p in [("2026-11", 91.2), ("2027-05", 90.1), ("2027-11", 89.3)]
    ]
    peers = row(PEER_PERCENTILES, vin=VIN, n_peers=23, soh_percentile=64.0, soh_expected_percent=90.5, reasons=[])
    charges = [row(CHARGING, session_id=f"s{n}", vin=VIN, reasons=[]) for n in range(4)]
    shares = [(10, 5.0), (50, 70.0), (80, 20.0), (90, 5.0)]
    hours = [row(SOC_HISTOGRAM, vin=VIN, soc_bin=b, hours=h) for b, h in shares]
    found = {
        "results/vehicle_battery": (VEHICLE_BATTERY, [car(**changed), car(vin=OTHER, soh_percent=55.5)]),
        "results/battery_health": (BATTERY_HEALTH, methods),
        "results/battery_health_filtered": (BATTERY_HEALTH_FILTERED, seen),
        "results/battery_degradation": (BATTERY_DEGRADATION, ahead),
        "results/peer_percentiles": (PEER_PERCENTILES, [peers]),
        "results/charging": (CHARGING, charges),
        "results/soc_histogram": (SOC_HISTOGRAM, hours),
    }
    return {name: pa.Table.from_pylist(rows, schema=schema) for name, (schema, rows) in found.items()}


def text_of_html(page):
    return unescape(re.sub(r"<[^>]+>", " ", page.split("</style>")[1]))


def text_of_pdf(data):
    """Words drawn on the page; core fonts are Latin-1 and stand in the content stream."""
    streams = [
        zlib.decompress(part) for part in re.findall(rb"stream\n(.*?)\nendstream", data, re.DOTALL) if part[:1] == b"x"
    ]
    return " ".join(word.decode("latin-1") for s in streams for word in re.findall(rb"\((.*?)(?<!\\)\) Tj", s))


FIGURES = [
    "91.3 % of new", "1.1 points", "89.0 to 93.5 %", "68.4 kWh", "0.8", "75.0 kWh", "registry", "61,234 km",
    "2023-04-01", "91.1", "190.2 ± 2.5 Ah", "600", "64 % of them", "23 cars", "90.5 %", "9,876 kWh",
    "23 % of the energy", "about 151", "25 % of 100 h", "5 % of 100 h", "97 % of the time", VIN, "Tesla Model 3 LR",
]  # fmt: skip
"""Of the tables above, as they must be shown: 0.85 rounds to 0.8, 190.25 to 190.2 (halves to even, as stored)."""


@pytest.mark.parametrize("figure", FIGURES)
def test_both_pages_show_the_tables_figures(figure):
    report = build(VIN, tables())
    assert figure in text_of_html(to_html(report))
    words = text_of_pdf(to_pdf(report)).replace("\\(", "(").replace("\\)", ")")
    assert figure.split(" of them")[0].split(" ±")[0] in words


def test_nothing_of_another_vehicle_is_shown():
    page = to_html(build(VIN, tables()))
    assert OTHER not in page
    assert "55.5" not in page


def test_without_a_number_the_page_says_why_and_shows_none():
    report = build(VIN, tables(soh_percent=None, capacity_kwh=None, reasons=["too_little_evidence"]))
    for text in (text_of_html(to_html(report)), text_of_pdf(to_pdf(report))):
        assert "No number" in text
        assert REASONS["too_little_evidence"] in text
        assert "of new;" not in text
        assert "Usable now" not in text


def test_a_vehicle_with_one_table_only_still_has_a_page_and_an_unknown_one_is_told():
    only = {"results/vehicle_battery": tables()["results/vehicle_battery"]}
    page = text_of_html(to_html(build(VIN, only)))
    assert "No month has a number yet" in page
    assert "No comparison yet" in page
    assert to_pdf(build(VIN, only)).startswith(b"%PDF")
    with pytest.raises(NoReportError, match="check the VIN"):
        build("EVPTESLA001000009", tables())


def test_hostile_words_do_no_harm():
    report = build(VIN, tables(model='<script>alert("1")</script>', reference_source="a & b \u2603"))
    page = to_html(report)
    assert "<script" not in page
    assert "&lt;script&gt;" in page
    assert to_pdf(report).startswith(b"%PDF")


def test_the_id_follows_every_value_and_no_order():
    first = build(VIN, tables()).verification
    shuffled = {name: table.take(pa.array(range(table.num_rows - 1, -1, -1))) for name, table in tables().items()}
    assert build(VIN, shuffled).verification == first
    for name, table in tables().items():
        changed = tables()
        rows = table.to_pylist()
        last = next(n for n in range(len(rows) - 1, -1, -1) if rows[n]["vin"] == VIN)
        del rows[last]
        changed[name] = pa.Table.from_pylist(rows, schema=table.schema)
        if name != "results/vehicle_battery":
            assert build(VIN, changed).verification != first, name
    assert build(VIN, tables(soh_sd=1.14)).verification != first
    assert build(VIN, tables(make=None)).verification != first


def test_the_pdf_is_one_page_and_the_curve_stays_inside_its_frame():
    report = build(VIN, tables())
    assert to_pdf(report).count(b"/Type /Page\n") == 1
    drawn = curve(report.curve)
    spots = [*drawn.band, *drawn.seen, *drawn.ahead, *(place for place, *_ in drawn.labels)]
    assert all(0 <= x <= WIDTH and 0 <= y <= HEIGHT for x, y in spots)
    assert len(drawn.seen) == 3
    assert len(drawn.ahead) == 3  # from the last month seen; the forecast of that month itself is not drawn twice
    assert [p.month for p in report.curve] == ["2026-09", "2026-10", "2026-11", "2027-05", "2027-11"]


PARTITIONS = {"results/battery_health": "2026-11"}
PARTITIONS |= dict.fromkeys(("results/charging", "results/soc_histogram"), "2026-11-01")


@pytest.fixture
def lake(tmp_path):
    store = ObjectStore(str(tmp_path / "lake"))
    for name, table in tables().items():
        partition = {
            "results/battery_health": "2026-11",
            "results/charging": "2026-11-01",
            "results/soc_histogram": "2026-11-01",
        }
        key = layout.part_key(name, partition[name]) if name in partition else layout.table_key(name)
        store.put(key, to_parquet(table))
    return tmp_path


def test_the_command_writes_the_same_bytes_in_any_process(lake):
    made = []
    for number, (seed, zone) in enumerate([("1", "UTC"), ("2", "Asia/Tokyo")]):
        environment = {**os.environ, "EV_LAKE_URL": str(lake / "lake"), "PYTHONHASHSEED": seed, "TZ": zone}
        out = lake / f"out{number}"
        command = [sys.executable, "-m", "ev_platform.cli", "report", VIN, "--out", str(out)]
        answer = subprocess.run(command, env=environment, capture_output=True, text=True, check=True, cwd=lake)
        assert report_of(ObjectStore(str(lake / "lake")), VIN).verification in answer.stdout
        made.append({path.name: path.read_bytes() for path in sorted(out.iterdir())})
    assert made[0] == made[1]
    assert len(made[0]) == 2


@pytest.mark.parametrize(
    ("vin", "out", "said"),
    [
        ("../../etc/passwd", ".", "is not a VIN"),
        ("EVPTESLA001000009", ".", "check the VIN"),
        (VIN, "file", "--out"),
    ],
)
def test_what_cannot_be_is_one_line(lake, vin, out, said):
    settings = load_settings(lake_url=str(lake / "lake"))
    folder = lake / out
    if out == "file":
        folder.write_text("in the way")
    with pytest.raises(UserError, match=said) as raised:
        run_report(settings, vin, str(folder))
    assert "\n" not in str(raised.value)
