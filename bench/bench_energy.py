"""Energy: all years of the commune set, 3.4 million rows of 36 columns, raw pages → refined Parquet, next to pandas.

Both read the same raw pages of each year, apply the same rules (codes as text, secrecy, order) and write one Parquet
file a year. The rows are generated with the shape, sparseness and widths of the real set.
"""

from __future__ import annotations

import io
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa

from bench.harness import Section, Target, measure
from ev_platform.energy.parse import parse
from ev_platform.energy.refine_annual import ENERGIES, refine_place
from ev_platform.energy.sources import load_sources
from ev_platform.lake.schemas_energy import ANNUAL_PLACE
from ev_platform.lake.tables import to_parquet

ROWS, YEARS, PAGE = 3_400_000, range(2011, 2025), 10_000
MOST_SECONDS, MOST_MB = 60, 1024
COMMUNES = 34_900


def generate(folder: str) -> int:
    """Write every year's pages below the folder, as Data Fair sends them; returns bytes."""
    source, size = load_sources()["annual_commune"], 0
    for year in YEARS:
        count = ROWS // len(YEARS)
        rng = np.random.default_rng(year)
        commune = rng.integers(1, COMMUNES, count)
        code = np.char.zfill((commune * 2 % 95999 + 1000).astype(str), 5)
        sites = rng.integers(1, 900, count).astype(float)
        hidden = rng.random(count) < 0.07
        total = np.round(sites * rng.uniform(1, 9, count), 3)
        columns: dict[str, object] = {
            "operateur": rng.choice(["Enedis", "GRDF", "ES Strasbourg", "SRD"], count),
            "filiere": rng.choice(["Electricité", "Gaz"], count, p=[0.8, 0.2]),
            "annee": np.full(count, year),
            "code_commune": code,
            "nom_commune": np.char.add("Commune de ", code),
            "code_epci": np.char.add("2000", code),
            "nom_epci": np.char.add("CC du Pays ", code),
            "type_epci": "CC",
            "code_departement": [text[:2] for text in code],
            "nom_departement": [f"Département {text[:2]}" for text in code],
            "code_region": rng.choice(["11", "24", "32", "75", "84"], count),
            "nom_region": "Région",
            "code_categorie_consommation": rng.choice(["RES", "PRO", "ENT"], count),
            "code_grand_secteur": rng.choice(["RESIDENTIEL", "TERTIAIRE", "INDUSTRIE", "AGRICULTURE"], count),
            "code_secteur_naf2": [text if text > "80" else None for text in rng.integers(10, 99, count).astype(str)],
            "nb_sites": np.where(hidden, np.nan, sites),
            "conso_totale_mwh": np.where(hidden, np.nan, total),
            "conso_moyenne_mwh": np.where(hidden, 0.0, np.round(total / sites, 3)),
        }
        for name in source.number:
            if name not in columns:
                columns[name] = np.where(rng.random(count) < 0.1, np.nan, rng.uniform(0, 400, count))
        frame = pl.DataFrame(columns, strict=False).with_columns(pl.col(pl.Float64).fill_nan(None))
        for number, start in enumerate(range(0, count, PAGE)):
            data = frame.slice(start, PAGE).write_csv().encode()
            (Path(folder) / f"{year}-{number:05d}.csv").write_bytes(data)
            size += len(data)
    return size


def pages(folder: str, year: int) -> list[bytes]:
    """Raw pages of one year."""
    return [path.read_bytes() for path in sorted(Path(folder).glob(f"{year}-*.csv"))]


def refine_all(folder: str) -> tuple[int, int, float]:
    """Ours: rows, bytes written, sum of the totals."""
    source, rows, size, total = load_sources()["annual_commune"], 0, 0, 0.0
    for year in YEARS:
        table = refine_place(parse(source, pages(folder, year)))
        data = to_parquet(table)
        (Path(folder) / f"ours-{year}.parquet").write_bytes(data)
        rows, size = rows + table.num_rows, size + len(data)
        total += pl.from_arrow(table)["total_mwh"].sum()
    return rows, size, total


def refine_pandas(folder: str) -> tuple[int, int, float]:
    """The same with pandas, year by year as well."""
    source, rows, size, total = load_sources()["annual_commune"], 0, 0, 0.0
    names = {"operateur": "operator", "filiere": "energy", "code_commune": "place_code", "nom_commune": "place",
             "code_departement": "department_code", "code_region": "region_code", "nom_region": "region",
             "code_epci": "epci_code", "code_categorie_consommation": "category", "code_grand_secteur": "sector",
             "code_secteur_naf2": "naf2", "nb_sites": "sites", "conso_totale_mwh": "total_mwh",
             "conso_moyenne_mwh": "mean_mwh", "nombre_de_mailles_secretisees": "hidden_cells",
             "annee": "year"}  # fmt: skip
    key = ["place_code", "energy", "operator", "category", "sector", "naf2"]
    for year in YEARS:
        parts = [pd.read_csv(io.BytesIO(page), dtype=dict.fromkeys(source.text, str)) for page in pages(folder, year)]
        frame = pd.concat(parts, ignore_index=True).rename(columns=names)
        frame["withheld"] = frame["sites"].isna() & frame["total_mwh"].isna()
        frame.loc[frame["withheld"], "mean_mwh"] = np.nan
        frame["energy"] = frame["energy"].replace(ENERGIES)
        frame["year"] = frame["year"].str[:4].astype("int16")
        for name in ("sites", "hidden_cells"):
            frame[name] = frame[name].round().astype("Int64")
        frame = frame.sort_values(key, na_position="last", kind="stable")[ANNUAL_PLACE.names]
        path = Path(folder) / f"pandas-{year}.parquet"
        frame.to_parquet(path, compression="zstd", index=False)
        rows, size, total = rows + len(frame), size + path.stat().st_size, total + float(frame["total_mwh"].sum())
    return rows, size, total


def _warm(folder: str) -> None:
    """Imports and the first call of both libraries."""
    to_parquet(pa.table({"a": [1]}))
    pd.read_csv(io.BytesIO(b"a\n1\n"))


def sections() -> list[Section]:
    """What `make bench BENCH=energy` shows."""
    with tempfile.TemporaryDirectory() as folder:
        size = generate(folder)
        ours = measure(refine_all, folder, warm=_warm)
        theirs = measure(refine_pandas, folder, warm=_warm)
    assert ours.value[0] == theirs.value[0]
    assert abs(ours.value[2] / theirs.value[2] - 1) < 1e-9, "both must come to the same sum"
    rows = [
        {
            "what": name,
            "rows": f"{found.value[0]:,}",
            "CPU-s": f"{found.cpu_seconds:.1f}",
            "wall s": f"{found.wall_seconds:.1f}",
            "rows/CPU-s": f"{found.value[0] / found.cpu_seconds:,.0f}",
            "raw MB/CPU-s": f"{size / 1e6 / found.cpu_seconds:.0f}",
            "peak MB": f"{found.peak_mb:.0f}",
            "Parquet MB": f"{found.value[1] / 1e6:.0f}",
            "ratio": f"{found.cpu_seconds / ours.cpu_seconds:.2f}",
        }
        for name, found in (("energy room (Polars)", ours), ("pandas", theirs))
    ]
    text = (
        f"Fourteen years of the commune set, {size / 1e6:.0f} MB of raw pages, to one refined Parquet file a year;"
        " pandas does the same, also year by year."
    )
    ratio = theirs.cpu_seconds / ours.cpu_seconds
    targets = [
        Target("CPU seconds", f"{ours.cpu_seconds:.1f}", f"< {MOST_SECONDS}", ours.cpu_seconds < MOST_SECONDS),
        Target("peak memory, MB", f"{ours.peak_mb:.0f}", f"< {MOST_MB}", ours.peak_mb < MOST_MB),
        Target("CPU of pandas / ours", f"{ratio:.1f}", "> 1.2", ratio > 1.2),
    ]
    return [Section("Energy: 3.4 million commune rows refined", text, rows, targets)]
