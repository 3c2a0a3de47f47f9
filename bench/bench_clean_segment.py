"""Clean + segment: the product's full rules against three short ways of writing a part of them; memory and growth."""

from __future__ import annotations

import statistics
import tempfile
from pathlib import Path

from bench import fleet_day
from bench.harness import Measured, Section, Target, measure

VEHICLES, PANDAS_VEHICLES, ORACLE_VEHICLES = 250, 25, 5
GROWTH = (125, 250, 500)
REPEATS = 3
BATCH = 20
COLUMNS = ["vin", "event_time", "signal", "number", "text", "offset"]


def make_compressed(folder: str, vehicles: int, days: int = 1) -> None:
    """Compressed files of a fleet's day."""
    from ev_platform.lake.layout import compressed_key
    from ev_platform.lake.store import ObjectStore
    from ev_platform.lake.tables import to_parquet
    from ev_platform.transform.compact import compact

    store = ObjectStore(folder)
    store.put("ref/vehicles/part-0000.parquet", to_parquet(fleet_day.registry(vehicles)))
    for number in range(vehicles):
        vin = fleet_day.vin(number)
        table = compact(list(fleet_day.objects(number)), None, vin, fleet_day.DAY).table
        store.put(compressed_key(fleet_day.DAY, vin), to_parquet(table))


def _warm(*_: object) -> None:
    """Imports are not what is compared."""
    import ev_platform.engine.daily
    import ev_platform.transform.clean
    import ev_platform.transform.segment  # noqa: F401


def _ours(folder: str, workers: int = 1, shards: int = 1) -> dict[str, int]:
    from ev_platform.engine.daily import clean_day, segment_day
    from ev_platform.engine.pool import prepare_worker, stop_pools
    from ev_platform.lake.store import ObjectStore

    if workers == 1:
        prepare_worker()
    settings, store = fleet_day.settings_of(Path(folder), workers, shards), ObjectStore(folder)
    rows = clean_day(settings, store, fleet_day.DAY).rows
    segments = segment_day(settings, store, fleet_day.DAY).rows
    stop_pools()
    return {"rows": rows, "segments": segments}


def tables_of(folder: str, vehicles: int):  # noqa: ANN201 - list[pa.Table]
    """Compressed tables of the first vehicles of a lake, the columns that the baselines read."""
    from ev_platform.lake.layout import compressed_key
    from ev_platform.lake.tables import from_parquet

    return [
        from_parquet((Path(folder) / compressed_key(fleet_day.DAY, fleet_day.vin(n))).read_bytes(), COLUMNS)
        for n in range(vehicles)
    ]


def _pandas(folder: str, vehicles: int) -> tuple[int, int]:
    from bench.baseline_segment import pandas_fleet

    return pandas_fleet(tables_of(folder, vehicles))


def _oracle(folder: str, vehicles: int) -> tuple[int, int]:
    """The tests' own second version of the rules: pandas, a vehicle at a time, to be read and not to be fast."""
    from ev_platform.engine.daily import CLEAN_COLUMNS, read_vehicles
    from ev_platform.lake.layout import compressed_key
    from ev_platform.lake.store import ObjectStore
    from ev_platform.lake.tables import from_parquet
    from ev_platform_tests.transform import oracle_clean, oracle_segment

    registry = read_vehicles(ObjectStore(folder))
    usable = dict(zip(registry["vin"].to_pylist(), registry["usable_new_kwh"].to_pylist(), strict=True))
    rows = segments = 0
    for number in range(vehicles):
        data = (Path(folder) / compressed_key(fleet_day.DAY, fleet_day.vin(number))).read_bytes()
        wide, _ = oracle_clean.clean(from_parquet(data, CLEAN_COLUMNS), registry)
        listed = wide.astype(object).where(wide.notna(), None).to_dict("records")
        pieces = oracle_segment.segment(listed, fleet_day.DAY, usable)
        rows, segments = rows + len(wide), segments + len(pieces)
    return rows, segments


def _duckdb(folder: str, vehicles: int) -> tuple[int, int]:
    from bench.baseline_segment import duckdb_fleet

    return duckdb_fleet(tables_of(folder, vehicles))


def _polars(folder: str, vehicles: int) -> tuple[int, int]:
    from bench.baseline_segment import polars_fleet

    return polars_fleet(tables_of(folder, vehicles))


def _warm_all(*_: object) -> None:
    _warm()
    import pandas  # noqa: F401
    import polars

    from bench import baseline_segment  # noqa: F401

    polars.DataFrame({"a": [1]}).lazy().select(polars.col("a").sum()).collect()


def _median(runs: list[Measured]) -> Measured:
    return sorted(runs, key=lambda run: run.cpu_seconds)[len(runs) // 2]


def _compared() -> Section:
    try:
        import duckdb  # noqa: F401

        with_duckdb = True
    except ImportError:
        with_duckdb = False
    with tempfile.TemporaryDirectory() as folder:
        make_compressed(folder, VEHICLES)
        runs: dict[str, list[Measured]] = {}
        for _ in range(REPEATS):
            runs.setdefault("ours", []).append(measure(_ours, folder, warm=_warm))
            runs.setdefault("polars", []).append(measure(_polars, folder, VEHICLES, warm=_warm_all))
            if with_duckdb:
                runs.setdefault("duckdb", []).append(measure(_duckdb, folder, VEHICLES, warm=_warm_all))
        runs["pandas"] = [measure(_pandas, folder, PANDAS_VEHICLES, warm=_warm_all)]
        runs["oracle"] = [measure(_oracle, folder, ORACLE_VEHICLES, warm=_warm_all)]
        small = statistics.median(measure(_ours_of(PANDAS_VEHICLES), warm=_warm).cpu_seconds for _ in range(REPEATS))
    labels = {
        "ours": f"this project, all rules, batches of {BATCH}",
        "polars": "plain Polars, whole fleet, a part of the rules",
        "duckdb": "DuckDB windows, a part of the rules",
        "pandas": f"pandas per vehicle ({PANDAS_VEHICLES} vehicles), a part of the rules",
        "oracle": f"the tests' pandas oracle ({ORACLE_VEHICLES} vehicles), all rules, nothing written",
    }
    middle = {name: _median(found) for name, found in runs.items()}
    rows = [
        {
            "work": labels[name],
            "CPU-s": f"{run.cpu_seconds:.2f}",
            "peak MB": f"{run.peak_mb:.0f}",
            "rows, segments": str(tuple(run.value.values()) if isinstance(run.value, dict) else run.value),
        }
        for name, run in middle.items()
    ]
    ours = middle["ours"]
    slower = {name: run.cpu_seconds / ours.cpu_seconds for name, run in middle.items()}
    slower["pandas"] = middle["pandas"].cpu_seconds / small
    slower["oracle"] = middle["oracle"].cpu_seconds / ORACLE_VEHICLES / (ours.cpu_seconds / VEHICLES)
    memory = ours.peak_mb / middle["polars"].peak_mb
    targets = [
        Target("pandas oracle over ours, per vehicle", f"{slower['oracle']:.0f} x", "≥ 8 x", slower["oracle"] >= 8),
        Target("ours over plain Polars", f"{1 / slower['polars']:.2f} x", "≤ 1.1 x", 1 / slower["polars"] <= 1.1),
        Target("memory over plain Polars", f"{memory:.2f}", "≤ 0.33", memory <= 0.34),
    ]
    if with_duckdb:
        targets.append(Target("DuckDB over ours", f"{slower['duckdb']:.1f} x", "≥ 3.5 x", slower["duckdb"] >= 3.5))
    text = (
        f"{VEHICLES} vehicles from compressed files to cleaned and segments, one process, one thread for ours. The "
        "pandas oracle does the same rules; the others do a part of them (bench/baseline_segment.py), so a ratio of 1 "
        f"already favours ours. The same part in pandas per vehicle: {slower['pandas']:.1f} x ours with all rules."
    )
    return Section("Clean + segment", text if with_duckdb else f"{text} DuckDB is not installed.", rows, targets)


class _ours_of:
    """Ours over a lake of so many vehicles, made before it is measured."""

    __name__ = "ours"

    def __init__(self, vehicles: int) -> None:
        self.folder = tempfile.mkdtemp()
        make_compressed(self.folder, vehicles)

    def __call__(self) -> dict[str, int]:
        return _ours(self.folder)


def _growth() -> Section:
    rows, runs = [], []
    for vehicles in GROWTH:
        with tempfile.TemporaryDirectory() as folder:
            make_compressed(folder, vehicles)
            run = measure(_ours, folder, warm=_warm)
            runs.append(run)
            rows.append(
                {
                    "vehicles": str(vehicles),
                    "rows": f"{run.value['rows']:,}",
                    "CPU-s": f"{run.cpu_seconds:.2f}",
                    "rows/CPU-s": f"{run.value['rows'] / run.cpu_seconds:,.0f}",
                    "peak MB": f"{run.peak_mb:.0f}",
                }
            )
    with tempfile.TemporaryDirectory() as folder:
        make_compressed(folder, GROWTH[-1])
        pair = measure(_ours, folder, 2, 4, warm=_warm)
    growth = runs[-1].cpu_seconds / runs[0].cpu_seconds
    memory, peak = runs[-1].peak_mb / runs[0].peak_mb, max(run.peak_mb for run in runs)
    faster = runs[-1].wall_seconds / pair.wall_seconds
    return Section(
        "Clean + segment: growth",
        "One process; the last target with two processes over four shards.",
        rows,
        [
            Target("4 x data, CPU", f"{growth:.2f} x", "≤ 4.3 x", growth <= 4.3),
            Target("4 x data, memory", f"{memory:.2f} x", "≤ 1.1 x", memory <= 1.1),
            Target("one process", f"{peak:.0f} MB", "≤ 250 MB", peak <= 250),
            Target("two processes over one, wall", f"{faster:.2f} x", "≥ 1.5 x", faster >= 1.5),
        ],
    )


def sections() -> list[Section]:
    """The bench."""
    return [_compared(), _growth()]
