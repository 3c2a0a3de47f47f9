"""Sales: a file of 560,000 rows refined, and the marts made of it, next to pandas doing the same."""

from __future__ import annotations

import io
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd

from bench.harness import Measured, Section, Target, measure

ROWS = 560_000
SEED_ROWS = 20_000
MOST_SECONDS = 15.0
MOST_MB = 1_024.0
FORMAT = "%a %b %d %Y %H:%M:%S GMT%z"


def write_file(path: str, rows: int) -> None:
    """A file of `rows` rows: simulated sales with their dirt, repeated with VINs and mileages of their own."""
    from ev_platform.simulate.sales import Market
    from ev_platform.simulate.sales_file import write_sales

    head, *lines = write_sales(Market(sales=min(rows, SEED_ROWS))).data.decode().rstrip("\n").split("\n")
    letters = "ABCDEFGHJKLMNPRSTUVWXYZ0123456789"
    with open(path, "w", encoding="utf-8") as file:
        file.write(head + "\n")
        for n in range(rows):
            fields = lines[n % len(lines)].split(",")
            copy = n // len(lines)
            if copy and len(fields) == 16 and len(fields[6]) == 17:  # a car of its own, with its own mileage
                fields[6] = fields[6][:8] + letters[copy % 33] + letters[copy // 33] + fields[6][10:]
                fields[9] = f"{n % 180_000 + 7}.0"
            file.write(",".join(fields) + "\n")


def refined(path: str) -> tuple[int, int]:
    """Ours: typed, repaired, resales, quarantine with reasons."""
    from ev_platform.market.refine import refine

    made = refine(Path(path).read_bytes())
    return made.sales.num_rows, made.quarantine.num_rows


def warm(path: str) -> None:
    """Imports and caches of both sides, on a few rows."""
    from ev_platform.market import depreciation, marts
    from ev_platform.market.refine import refine

    with open(path, "rb") as file:
        head = file.read(200_000).rpartition(b"\n")[0]
    made = refine(head)
    marts.brand_peers(made.sales)
    depreciation.fit(made.sales)
    pandas_frame(io.BytesIO(head))


def pandas_refined(path: str) -> tuple[int, int]:
    """pandas, vectorised, the same rules: names by table, exact dates, grades, placeholders, resales, doubles.

    What it does not do, and ours does: rows with a field too many put right, notes of every repair, makes read from the
    VIN or by likeness, the quarantined rows themselves with their reasons.
    """
    frame, rejected = pandas_frame(path)
    return len(frame), rejected


def pandas_frame(source: str | io.BytesIO) -> tuple[pd.DataFrame, int]:
    """Refined sales and the number of rows left out."""
    from ev_platform.market.names import canonical

    frame = pd.read_csv(source, dtype=str, keep_default_na=False, on_bad_lines="skip")
    received = len(frame)
    frame = frame.drop_duplicates()
    for column in frame.columns:
        text = frame[column].str.strip().str.replace(r"\s+", " ", regex=True)
        frame[column] = text.mask(text.str.lower().isin(["", "nan", "none", "null", "n/a"]))
    for column, table in (("make", "makes"), ("body", "bodies"), ("color", "colors"), ("interior", "colors")):
        alias = frame[column].str.lower()
        known = alias.isin(list(canonical(table)))
        frame[column] = alias.map(canonical(table)).where(known, frame[column])
    for column, table in (("state", "states"), ("transmission", "transmissions")):
        frame[column] = frame[column].str.lower().map(canonical(table))
    frame["vin"] = frame.vin.str.upper().where(frame.vin.str.upper().str.fullmatch(r"[A-HJ-NPR-Z0-9]{17}", na=False))
    for column in ("year", "condition", "odometer", "mmr", "sellingprice"):
        frame[column] = pd.to_numeric(frame[column], errors="coerce")
    frame["grade"] = frame.condition.where(frame.condition <= 5, frame.condition / 10)
    frame["odometer"] = frame.odometer.mask(frame.odometer.isin([1.0, 999_999.0]))
    dates = frame.saledate.str.replace(r" \(\w+\)$", "", regex=True)
    frame["sold_at"] = pd.to_datetime(dates, format=FORMAT, utc=True, errors="coerce")
    frame = frame[frame.sold_at.notna() & (frame.sellingprice > 1) & frame.year.notna()]
    spelling = frame.groupby(["make", frame.model.str.lower()]).model.agg(lambda of: of.value_counts().index[0])
    alias = pd.MultiIndex.from_arrays([frame.make, frame.model.str.lower()])
    frame["model"] = spelling.reindex(alias).to_numpy()
    frame = frame.sort_values(["sold_at", "vin", "sellingprice", "odometer"])
    frame["sale_number"] = frame.groupby("vin").cumcount() + 1
    frame["previous_price"] = frame.groupby("vin").sellingprice.shift()
    frame["days_since"] = frame.groupby("vin").sold_at.diff().dt.total_seconds() / 86_400
    return frame, received - len(frame)


def marts_made(path: str) -> int:
    """Ours: all marts and the depreciation fit with its cross-validated error."""
    from ev_platform.market import depreciation, marts
    from ev_platform.market.refine import refine

    sales = refine(Path(path).read_bytes()).sales
    made = [marts.brand_peers, marts.monthly_trends, marts.by_state, marts.price_by_model_year, depreciation.fit]
    return sum(mart(sales).num_rows for mart in made)


def pandas_fit(path: str) -> int:
    """Fit by pandas and numpy: the same regression per model, fitted six times: once, and once without each fold."""
    from ev_platform.market.depreciation import FOLDS, design

    frame, _ = pandas_frame(path)
    born = pd.to_datetime(frame.year.astype(int).astype(str), format="%Y", utc=True)
    age = ((frame.sold_at - born).dt.total_seconds() / (365.25 * 86_400)).clip(lower=0)
    x = design(age.to_numpy(), frame.odometer.to_numpy(), frame.grade.to_numpy())
    y, fold = np.log(frame.sellingprice.to_numpy()), np.arange(len(frame)) % FOLDS
    fits = 0
    for rows in frame.reset_index(drop=True).groupby(["make", "model"]).indices.values():
        for left_out in (-1, *range(FOLDS)):
            kept = rows[fold[rows] != left_out]
            np.linalg.lstsq(x[kept], y[kept], rcond=None)
            fits += 1
    return fits


def _row(name: str, measured: Measured, base: Measured) -> dict[str, str]:
    return {
        "what": name,
        "CPU s": f"{measured.cpu_seconds:.1f}",
        "wall s": f"{measured.wall_seconds:.1f}",
        "rows/s (CPU)": f"{ROWS / measured.cpu_seconds:,.0f}",
        "peak MB": f"{measured.peak_mb:.0f}",
        "ratio": f"{measured.cpu_seconds / base.cpu_seconds:.1f}",
    }


def sections() -> list[Section]:
    """Refinement at 1×, and its growth from a quarter; marts."""
    with TemporaryDirectory(prefix="ev_bench_") as folder:
        path, quarter = f"{folder}/sales.csv", f"{folder}/quarter.csv"
        write_file(path, ROWS)
        write_file(quarter, ROWS // 4)
        size = Path(path).stat().st_size / 1e6
        ours, small, theirs = measure(refined, path, warm=warm), measure(refined, quarter, warm=warm), measure(
            pandas_refined, path, warm=warm
        )  # fmt: skip
        made, fitted = measure(marts_made, path, warm=warm), measure(pandas_fit, path, warm=warm)
    growth = ours.cpu_seconds / small.cpu_seconds
    text = (
        f"{ROWS:,} rows ({size:.0f} MB). Ours: {ours.value[0]:,} sales and {ours.value[1]:,} quarantined rows with "
        f"reasons; pandas: {theirs.value[0]:,} sales, {theirs.value[1]:,} left out without one. "
        f"Four times the rows cost {growth:.1f} times the CPU."
    )
    rows = [
        _row("refined (polars, by distinct text)", ours, ours),
        _row("pandas, vectorised, fewer rules", theirs, ours),
        _row("refined + all marts + cross-validated depreciation", made, ours),
        _row("pandas: refined + one regression per model and fold", fitted, ours),
    ]
    cpu, ratio = ours.cpu_seconds, theirs.cpu_seconds / ours.cpu_seconds
    targets = [
        Target(f"{ROWS:,} rows refined", f"{cpu:.1f} CPU s", f"< {MOST_SECONDS:.0f} s", cpu < MOST_SECONDS),
        Target("peak memory", f"{ours.peak_mb:.0f} MB", f"< {MOST_MB:.0f} MB", ours.peak_mb < MOST_MB),
        Target("against pandas", f"{ratio:.1f} times", "> 1 times", ratio > 1),
    ]
    return [Section("Sales market: refinement and marts", text, rows, targets)]
