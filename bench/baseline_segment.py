"""Cleaning and segmentation as one would write it first, three times: pandas per vehicle, DuckDB windows, plain Polars.

All three read the long compressed rows, pivot, and follow a short specification (a part of ours): factor,
range, despike, bounded forward fill, power; charging if the charge state says so, else driving by gear or speed, else
idle; a gap of 300 s splits; runs under 60 s join the label before; figures per segment. Not here: measuring.
"""

from __future__ import annotations

import io
from typing import NamedTuple

import pandas as pd
import polars as pl
import pyarrow as pa

GAP_S, SHORT_S, STEP_S = 300, 60, 30


class Rule(NamedTuple):
    """One column: provider's signal, factor to SI, range, longest fill in s, spike in its unit (None: no despike)."""

    signal: str
    factor: float
    low: float
    high: float
    stale_s: int
    spike: float | None = None


RULES = {
    "soc": Rule("Soc", 1, 0.001, 100, 900, 5),
    "odometer": Rule("Odometer", 1.609344, 0.001, 2e6, 900, 50),
    "volt": Rule("PackVoltage", 1, 100, 1000, 120),
    "amp": Rule("PackCurrent", 1, -1000, 1000, 120),
    "speed": Rule("VehicleSpeed", 1.609344, 0, 250, 120),
    "outside": Rule("OutsideTemp", 1, -50, 60, 1800),
    "hot": Rule("ModuleTempMax", 1, -40, 85, 1800),
    "cold": Rule("ModuleTempMin", 1, -40, 85, 1800),
}
PLAIN = (
    *(
        "BatteryLevel",
        "EnergyRemaining",
        "DCChargingEnergyIn",
        "ACChargingEnergyIn",
        "ACChargingPower",
        "DCChargingPower",
    ),
    *(
        "ChargeAmps",
        "ChargerVoltage",
        "ChargerPhases",
        "ChargeLimitSoc",
        "TimeToFullCharge",
        "InsideTemp",
        "RatedRange",
    ),
    *("BrickVoltageMax", "BrickVoltageMin", "EstBatteryRange", "IdealBatteryRange", "LifetimeEnergyUsed", "GpsHeading"),
    *("Location.latitude", "Location.longitude"),
)
"""Signals that are only pivoted."""
WORDS = {"gear": "Gear", "state": "DetailedChargeState"}
WORD_STALE_S = 3600
DOUBLES = {**{name: rule.signal for name, rule in RULES.items()}, **{name: name for name in PLAIN}}


def _written(*frames: pa.Table) -> int:
    import pyarrow.parquet as pq

    size = 0
    for frame in frames:
        sink = io.BytesIO()
        pq.write_table(frame, sink, compression="zstd", compression_level=3)
        size += sink.tell()
    return size


# -- pandas, one vehicle at a time ------------------------------------------------------------------------------------


def pandas_vehicle(long: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Wide rows and segments of one vehicle."""
    long = long.sort_values(["event_time", "offset"], kind="stable")
    numbers = long[long["signal"].isin(list(DOUBLES.values()))]
    wide = numbers.pivot_table(index="event_time", columns="signal", values="number", aggfunc="last")
    words = long[long["signal"].isin(list(WORDS.values()))].groupby(["event_time", "signal"])["text"].last().unstack()
    wide = wide.join(words, how="outer").reindex(columns=[*DOUBLES.values(), *WORDS.values()])
    wide.columns = [*DOUBLES, *WORDS]
    time = wide.index.to_series()
    for name, rule in RULES.items():
        value = wide[name] * rule.factor
        value = value.where(value.between(rule.low, rule.high))
        if rule.spike is not None:
            seen = value.dropna()
            before, after = seen - seen.shift(), seen - seen.shift(-1)
            spike = (before.abs() > rule.spike) & (after.abs() > rule.spike) & (before * after > 0)
            value = value.where(~spike.reindex(value.index, fill_value=False))
        age = (time - time.where(value.notna()).ffill()).dt.total_seconds()
        wide[name] = value.ffill().where(age <= rule.stale_s)
    for name in WORDS:
        age = (time - time.where(wide[name].notna()).ffill()).dt.total_seconds()
        wide[name] = wide[name].ffill().where(age <= WORD_STALE_S)
    wide["kw"] = wide["volt"] * wide["amp"] / 1000
    return wide, _pandas_segments(wide, time)


def _pandas_segments(wide: pd.DataFrame, time: pd.Series) -> pd.DataFrame:
    charging = wide["state"].astype("string").str.endswith("Charging").fillna(False).astype(bool)
    gear = wide["gear"].astype("string").str[-1:].isin(["D", "R", "N"]).fillna(False).astype(bool)
    driving = ~charging & (gear | (wide["speed"] > 1))
    label = pd.Series(0, index=wide.index).mask(driving, 1).mask(charging, 2)
    seconds = time.diff().dt.total_seconds()
    gap = seconds.gt(GAP_S) | seconds.isna()
    run = (label.ne(label.shift()) | gap).cumsum()
    length = time.groupby(run).transform(lambda t: (t.max() - t.min()).total_seconds())
    short = (length < SHORT_S) & ~gap.groupby(run).transform("any")
    label = label.mask(short).ffill()
    segment = (label.ne(label.shift()) | gap).cumsum()
    step = seconds.where(seconds <= STEP_S).fillna(0)
    kwh = (wide["kw"] + wide["kw"].shift()) / 2 * step / 3600
    frame = wide.assign(label=label, segment=segment, time=time, kwh=kwh)
    return frame.groupby("segment").agg(
        label=("label", "first"),
        start=("time", "min"),
        end=("time", "max"),
        soc_start=("soc", "first"),
        soc_end=("soc", "last"),
        km_start=("odometer", "first"),
        km_end=("odometer", "last"),
        kwh=("kwh", "sum"),
        outside=("outside", "mean"),
        speed=("speed", "max"),
    )


def pandas_fleet(tables: list[pa.Table]) -> tuple[int, int]:
    """(rows, segments) of a fleet, a vehicle at a time."""
    rows = segments = 0
    for table in tables:
        wide, found = pandas_vehicle(table.to_pandas())
        _written(pa.Table.from_pandas(wide.reset_index()), pa.Table.from_pandas(found))
        rows, segments = rows + len(wide), segments + len(found)
    return rows, segments


# -- DuckDB, windows over the whole fleet -----------------------------------------------------------------------------


def _sql() -> tuple[str, str]:
    pivot = [f'last(number ORDER BY "offset") FILTER (signal = \'{s}\') AS "{n}"' for n, s in DOUBLES.items()]
    pivot += [f"last(text ORDER BY \"offset\") FILTER (signal = '{s}') AS {n}" for n, s in WORDS.items()]
    ranged, despiked, filled = [], [], []
    for name, rule in RULES.items():
        value = f"{name} * {rule.factor}"
        ranged.append(f"CASE WHEN {value} BETWEEN {rule.low} AND {rule.high} THEN {value} END AS {name}")
        if rule.spike is None:
            despiked.append(name)
        else:
            before = f"({name} - lag({name} IGNORE NULLS) OVER w)"
            after = f"({name} - lead({name} IGNORE NULLS) OVER w)"
            test = f"abs{before} > {rule.spike} AND abs{after} > {rule.spike} AND {before} * {after} > 0"
            despiked.append(f"CASE WHEN {test} THEN NULL ELSE {name} END AS {name}")
    for name, stale in [*((n, r.stale_s) for n, r in RULES.items()), *((n, WORD_STALE_S) for n in WORDS)]:
        held = f"last_value({name} IGNORE NULLS) OVER f"
        since = f"last_value(CASE WHEN {name} IS NOT NULL THEN time END IGNORE NULLS) OVER f"
        filled.append(f"CASE WHEN time - {since} <= {stale} * 1000000::BIGINT THEN {held} END AS {name}")
    rest = ", ".join(f'"{name}"' for name in PLAIN)
    known = ", ".join(f"'{signal}'" for signal in [*DOUBLES.values(), *WORDS.values()])
    wide = f"""
        WITH p AS (SELECT vin, epoch_us(event_time) AS time,
        {", ".join(pivot)}
        FROM long WHERE signal IN ({known}) GROUP BY ALL),
        r AS (SELECT vin, time, {rest}, {", ".join(WORDS)}, {", ".join(ranged)} FROM p),
        d AS (SELECT vin, time, {rest}, {", ".join(WORDS)}, {", ".join(despiked)} FROM r
              WINDOW w AS (PARTITION BY vin ORDER BY time)),
        f AS (SELECT vin, time, {rest}, {", ".join(filled)} FROM d
              WINDOW f AS (PARTITION BY vin ORDER BY time ROWS UNBOUNDED PRECEDING))
        SELECT *, volt * amp / 1000 AS kw FROM f ORDER BY vin, time"""
    ends = [
        f"{function}({name} ORDER BY time) FILTER ({name} IS NOT NULL) AS {short}_{end}"
        for short, name in (("soc", "soc"), ("km", "odometer"))
        for end, function in (("start", "first"), ("end", "last"))
    ]
    segments = f"""
        WITH l AS (SELECT *, CASE WHEN state LIKE '%Charging' THEN 2
                                  WHEN right(gear, 1) IN ('D', 'R', 'N') OR speed > 1 THEN 1 ELSE 0 END AS label,
                   (time - lag(time) OVER w) / 1e6 AS seconds, lag(kw) OVER w AS kw_before
                   FROM wide WINDOW w AS (PARTITION BY vin ORDER BY time)),
        g AS (SELECT *, (seconds IS NULL OR seconds > {GAP_S})::INT AS gap, lag(label) OVER w AS before
              FROM l WINDOW w AS (PARTITION BY vin ORDER BY time)),
        n AS (SELECT *, sum(greatest(gap, (label <> before)::INT)) OVER f AS run
              FROM g WINDOW f AS (PARTITION BY vin ORDER BY time ROWS UNBOUNDED PRECEDING)),
        s AS (SELECT *, (max(time) OVER x - min(time) OVER x) / 1e6 < {SHORT_S} AND max(gap) OVER x = 0 AS short
              FROM n WINDOW x AS (PARTITION BY vin, run)),
        a AS (SELECT *, last_value(CASE WHEN NOT short THEN label END IGNORE NULLS) OVER f AS kind
              FROM s WINDOW f AS (PARTITION BY vin ORDER BY time ROWS UNBOUNDED PRECEDING)),
        b AS (SELECT *, lag(kind) OVER w AS kind_before FROM a WINDOW w AS (PARTITION BY vin ORDER BY time)),
        c AS (SELECT *, sum(greatest(gap, (kind <> kind_before)::INT)) OVER f AS segment
              FROM b WINDOW f AS (PARTITION BY vin ORDER BY time ROWS UNBOUNDED PRECEDING))
        SELECT vin, segment, first(kind ORDER BY time) AS label, min(time) AS start, max(time) AS "end",
               {", ".join(ends)},
               coalesce(sum((kw + kw_before) / 2 * CASE WHEN seconds <= {STEP_S} THEN seconds END / 3600), 0) AS kwh,
               avg(outside) AS outside, max(speed) AS speed
        FROM c GROUP BY vin, segment ORDER BY vin, segment"""
    return wide, segments


def duckdb_tables(tables: list[pa.Table]) -> tuple[pa.Table, pa.Table]:
    """Wide rows and segments of a fleet by SQL."""
    import duckdb

    long = pa.concat_tables(tables)
    wide_sql, segments_sql = _sql()
    with duckdb.connect() as connection:
        connection.execute("SET threads = 1")
        connection.register("long", long)
        connection.execute(f"CREATE TEMP TABLE wide AS {wide_sql}")
        wide = connection.execute("SELECT * FROM wide").to_arrow_table()
        return wide, connection.execute(segments_sql).to_arrow_table()


def duckdb_fleet(tables: list[pa.Table]) -> tuple[int, int]:
    """(rows, segments) of a fleet by SQL."""
    wide, segments = duckdb_tables(tables)
    _written(wide, segments)
    return len(wide), len(segments)


# -- Polars over the whole fleet --------------------------------------------------------------------------------------


def _polars_wide(long: pl.DataFrame) -> pl.DataFrame:
    long = long.sort("vin", "event_time", "offset")
    names = {signal: name for name, signal in {**DOUBLES, **WORDS}.items()}
    key = ["vin", "event_time"]
    numbers = long.filter(pl.col("signal").is_in(list(DOUBLES.values()))).pivot(
        on="signal", index=key, values="number", aggregate_function="last"
    )
    words = long.filter(pl.col("signal").is_in(list(WORDS.values()))).pivot(
        on="signal", index=key, values="text", aggregate_function="last"
    )
    wide = numbers.join(words, on=key, how="full", coalesce=True).sort(key)
    wide = wide.rename({old: new for old, new in names.items() if old in wide.columns})
    ranged = [
        pl.when((pl.col(n) * r.factor).is_between(r.low, r.high)).then(pl.col(n) * r.factor).alias(n)
        for n, r in RULES.items()
    ]
    wide = wide.with_columns(ranged)
    spikes = []
    for name, rule in RULES.items():
        if rule.spike is not None:
            before = pl.col(name) - pl.col(name).forward_fill().shift().over("vin")
            after = pl.col(name) - pl.col(name).backward_fill().shift(-1).over("vin")
            spike = (before.abs() > rule.spike) & (after.abs() > rule.spike) & (before * after > 0)
            spikes.append(pl.when(spike.fill_null(value=False)).then(None).otherwise(pl.col(name)).alias(name))
    wide = wide.with_columns(spikes)
    filled = []
    for name, stale in [*((n, r.stale_s) for n, r in RULES.items()), *((n, WORD_STALE_S) for n in WORDS)]:
        since = pl.when(pl.col(name).is_not_null()).then(pl.col("event_time")).forward_fill().over("vin")
        fresh = pl.col("event_time") - since <= pl.duration(seconds=stale)
        filled.append(pl.when(fresh).then(pl.col(name).forward_fill().over("vin")).alias(name))
    return wide.with_columns(filled).with_columns(kw=pl.col("volt") * pl.col("amp") / 1000)


def _polars_segments(wide: pl.DataFrame) -> pl.DataFrame:
    charging = pl.col("state").str.ends_with("Charging").fill_null(value=False)
    driving = pl.col("gear").str.slice(-1).is_in(["D", "R", "N"]).fill_null(value=False)
    driving = driving | (pl.col("speed") > 1).fill_null(value=False)
    seconds = pl.col("event_time").diff().over("vin").dt.total_microseconds() / 1e6
    frame = wide.with_columns(label=pl.when(charging).then(2).when(driving).then(1).otherwise(0), seconds=seconds)
    frame = frame.with_columns(gap=pl.col("seconds").is_null() | (pl.col("seconds") > GAP_S))
    change = (pl.col("label") != pl.col("label").shift().over("vin")).fill_null(value=True)
    frame = frame.with_columns(run=(change | pl.col("gap")).cum_sum().over("vin"))
    length = (pl.col("event_time").max() - pl.col("event_time").min()).over("vin", "run").dt.total_microseconds() / 1e6
    short = (length < SHORT_S) & ~pl.col("gap").any().over("vin", "run")
    frame = frame.with_columns(label=pl.when(~short).then(pl.col("label")).forward_fill().over("vin"))
    frame = frame.with_columns(segment=(change | pl.col("gap")).cum_sum().over("vin"))
    step = pl.when(pl.col("seconds") <= STEP_S).then(pl.col("seconds"))
    kwh = (pl.col("kw") + pl.col("kw").shift().over("vin")) / 2 * step / 3600
    return (
        frame.with_columns(kwh=kwh)
        .group_by("vin", "segment", maintain_order=True)
        .agg(
            pl.col("label").first(),
            start=pl.col("event_time").min(),
            end=pl.col("event_time").max(),
            soc_start=pl.col("soc").drop_nulls().first(),
            soc_end=pl.col("soc").drop_nulls().last(),
            km_start=pl.col("odometer").drop_nulls().first(),
            km_end=pl.col("odometer").drop_nulls().last(),
            kwh=pl.col("kwh").sum(),
            outside=pl.col("outside").mean(),
            speed=pl.col("speed").max(),
        )
    )


def polars_tables(tables: list[pa.Table]) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Wide rows and segments of a fleet by Polars expressions over the whole fleet."""
    wide = _polars_wide(pl.DataFrame(pa.concat_tables(tables)))
    return wide, _polars_segments(wide)


def polars_fleet(tables: list[pa.Table]) -> tuple[int, int]:
    """(rows, segments) of a fleet by Polars."""
    wide, segments = polars_tables(tables)
    _written(wide.to_arrow(), segments.to_arrow())
    return wide.height, segments.height
