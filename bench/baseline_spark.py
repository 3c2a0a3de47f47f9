"""What one would write first on Spark: its own windows, and its own JSON reader. No work items, no kernel of ours.

`clean_and_segment` follows the short specification of baseline_segment.py (a part of our rules), from the same
compressed files to two Parquet outputs; `compact` makes the long table of baseline_compact.py from the same raw
objects. Not here: measuring.
"""

from __future__ import annotations

from collections.abc import Sequence

from pyspark.sql import Column, DataFrame, SparkSession, Window, WindowSpec
from pyspark.sql import functions as F

from bench.baseline_compact import STRUCTS
from bench.baseline_segment import DOUBLES, GAP_S, RULES, SHORT_S, STEP_S, WORD_STALE_S, WORDS

SETTINGS = {
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.shuffle.partitions": "4",
    "spark.sql.parquet.compression.codec": "zstd",
    "spark.driver.memory": "4g",
}
"""Four partitions of a shuffle instead of 200 and four times the memory are a favour on two cores."""
MICROS = 1_000_000


def session(cores: int = 2) -> SparkSession:
    """Spark on so many cores of this machine; the one that runs already, if any."""
    builder = SparkSession.builder.master(f"local[{cores}]").appName("baseline")
    for name, value in SETTINGS.items():
        builder = builder.config(name, value)
    return builder.getOrCreate()


# -- clean and segment ------------------------------------------------------------------------------------------------

_OVER = "OVER (PARTITION BY vin ORDER BY time)"


def _by_vin() -> WindowSpec:
    return Window.partitionBy("vin").orderBy("time")  # needs a session


def _so_far() -> WindowSpec:
    return _by_vin().rowsBetween(Window.unboundedPreceding, Window.currentRow)


def _pivoted(long: DataFrame) -> DataFrame:
    newest = [
        F.expr(f"max_by({value}, offset) FILTER (WHERE signal = '{signal}')").alias(name)
        for value, names in (("number", DOUBLES), ("text", WORDS))
        for name, signal in names.items()
    ]
    rows = long.where(F.col("signal").isin([*DOUBLES.values(), *WORDS.values()]))
    return rows.groupBy("vin", F.unix_micros("event_time").alias("time")).agg(*newest)


def _in_range(name: str) -> Column:
    rule = RULES[name]
    value = F.col(name) * rule.factor
    return F.when(value.between(rule.low, rule.high), value)


def _despiked(name: str, spike: float) -> Column:
    before = F.col(name) - F.expr(f"lag({name}) IGNORE NULLS {_OVER}")
    after = F.col(name) - F.expr(f"lead({name}) IGNORE NULLS {_OVER}")
    is_spike = (F.abs(before) > spike) & (F.abs(after) > spike) & (before * after > 0)
    return F.when(~F.coalesce(is_spike, F.lit(False)), F.col(name))


def _filled(name: str, stale_s: int) -> Column:
    since = F.last(F.when(F.col(name).isNotNull(), F.col("time")), ignorenulls=True).over(_so_far())
    held = F.last(name, ignorenulls=True).over(_so_far())
    return F.when(F.col("time") - since <= stale_s * MICROS, held)


def wide_of(long: DataFrame) -> DataFrame:
    """One row per vehicle and µs: SI units, in range, without spikes, filled, with power in kW."""
    stale_s = {name: rule.stale_s for name, rule in RULES.items()} | dict.fromkeys(WORDS, WORD_STALE_S)
    wide = _pivoted(long).withColumns({name: _in_range(name) for name in RULES})
    spikes = {name: rule.spike for name, rule in RULES.items() if rule.spike is not None}
    wide = wide.withColumns({name: _despiked(name, spike) for name, spike in spikes.items()})
    wide = wide.withColumns({name: _filled(name, seconds) for name, seconds in stale_s.items()})
    return wide.withColumn("kw", F.col("volt") * F.col("amp") / 1000)


def _numbered(rows: DataFrame, label: str, name: str) -> DataFrame:
    """With `name`: how many runs of `label` began up to a row of its vehicle; a gap begins one too."""
    begins = F.coalesce(F.col(label) != F.lag(label).over(_by_vin()), F.lit(True)) | F.col("gap")
    return rows.withColumn("begins", begins.cast("int")).withColumn(name, F.sum("begins").over(_so_far()))


def segments_of(wide: DataFrame) -> DataFrame:
    """Pieces of charging (2), driving (1), idle (0) with their figures; time in µs, energy in kWh, distance in km."""
    seconds = (F.col("time") - F.lag("time").over(_by_vin())) / MICROS
    driving = F.substring("gear", -1, 1).isin("D", "R", "N") | (F.col("speed") > 1)
    label = F.when(F.col("state").endswith("Charging"), 2).when(driving, 1).otherwise(0)
    rows = wide.withColumns({"seconds": seconds, "label": label, "kw_before": F.lag("kw").over(_by_vin())})
    rows = _numbered(rows.withColumn("gap", F.coalesce(F.col("seconds") > GAP_S, F.lit(True))), "label", "run")
    run = Window.partitionBy("vin", "run")
    length = (F.max("time").over(run) - F.min("time").over(run)) / MICROS
    rows = rows.withColumn("short", (length < SHORT_S) & ~F.max("gap").over(run))
    kind = F.last(F.when(~F.col("short"), F.col("label")), ignorenulls=True).over(_so_far())
    rows = _numbered(rows.withColumn("kind", kind), "kind", "segment")
    hours = F.when(F.col("seconds") <= STEP_S, F.col("seconds")) / 3600
    rows = rows.withColumn("kwh", (F.col("kw") + F.col("kw_before")) / 2 * hours)
    ends = {
        f"{short}_{end}": F.expr(f"{function}({name}, time) FILTER (WHERE {name} IS NOT NULL)")
        for short, name in (("soc", "soc"), ("km", "odometer"))
        for end, function in (("start", "min_by"), ("end", "max_by"))
    }
    return rows.groupBy("vin", "segment").agg(
        F.first("kind").alias("label"),
        F.min("time").alias("start"),
        F.max("time").alias("end"),
        *(figure.alias(name) for name, figure in ends.items()),
        F.coalesce(F.sum("kwh"), F.lit(0.0)).alias("kwh"),
        F.avg("outside").alias("outside"),
        F.max("speed").alias("speed"),
    )


def clean_and_segment(spark: SparkSession, files: Sequence[str], folder: str) -> tuple[int, int]:
    """(rows, segments) of compressed files; writes `folder`/wide and `folder`/segments, sorted within each file."""
    long = spark.read.parquet(*files).select("vin", "event_time", "signal", "number", "text", "offset")
    wide_of(long).sortWithinPartitions("vin", "time").write.mode("overwrite").parquet(f"{folder}/wide")
    wide = spark.read.parquet(f"{folder}/wide")
    segments_of(wide).sortWithinPartitions("vin", "segment").write.mode("overwrite").parquet(f"{folder}/segments")
    return wide.count(), spark.read.parquet(f"{folder}/segments").count()


# -- compaction -------------------------------------------------------------------------------------------------------

NUMBERS = ("doubleValue", "floatValue", "intValue", "longValue", "booleanValue")
RAW = """
_p int, _o long, _t long, h struct<receivedat: string, txid: string>,
d struct<vin: string, createdAt: string, isResend: boolean,
         data: array<struct<key: string, value: map<string, string>>>>
"""
"""A raw line. A value is one member named by its kind: read as a map, whatever kinds there are."""
STATUS = "CASE WHEN kind = 'invalid' THEN 'invalid' WHEN kind IS NULL THEN 'missing' ELSE 'ok' END"
DATUM = "struct(datum.key AS signal, kind, value)"
PARTS = (
    "transform(map_entries(from_json(value, 'map<string, string>')), "
    "part -> struct(concat(datum.key, '.', part.key) AS signal, kind, part.value AS value))"
)


def long_of(records: DataFrame) -> DataFrame:
    """One row per datum of a record, one per part of a struct, repeats of a record dropped, sorted within a vehicle."""
    key = ["vin", "partition", "offset", "source_ts"]
    once = records.select(
        F.col("d.vin").alias("vin"),
        F.to_timestamp("d.createdAt").alias("event_time"),
        F.timestamp_millis(F.col("h.receivedat").cast("long")).alias("received_at"),
        F.lit("tesla").alias("provider"),
        F.col("d.isResend").alias("is_resend"),
        F.col("h.txid").alias("txid"),
        F.lit("tesla_V").alias("source"),
        F.col("_p").alias("partition"),
        F.col("_o").alias("offset"),
        F.col("_t").alias("source_ts"),
        F.col("d.data").alias("data"),
    )
    once = once.repartition("vin").dropDuplicates(key)  # one shuffle serves both, and the sort
    data = once.withColumn("datum", F.explode("data")).drop("data")
    data = data.withColumns(
        {"kind": F.expr("get(map_keys(datum.value), 0)"), "value": F.expr("get(map_values(datum.value), 0)")}
    )
    parts = F.expr(f"CASE WHEN {_is('kind', STRUCTS)} THEN {PARTS} ELSE array({DATUM}) END")
    rows = data.withColumn("part", F.explode(parts)).drop("datum", "kind", "value").select("*", "part.*").drop("part")
    truth = F.when(F.col("value") == "true", 1.0).when(F.col("value") == "false", 0.0)
    number = F.coalesce(truth, F.expr("try_cast(value AS double)"))
    rows = rows.withColumns(
        {
            "status": F.expr(STATUS),
            "number": F.when(F.expr(_is("kind", (*NUMBERS, *STRUCTS))), number),
            "text": F.when(F.expr(f"NOT {_is('kind', (*NUMBERS, *STRUCTS, 'invalid'))}"), F.col("value")),
        }
    )
    return rows.drop("value").sortWithinPartitions("vin", "event_time", "source", "partition", "offset")


def _is(column: str, words: Sequence[str]) -> str:
    listed = ", ".join(f"'{word}'" for word in words)
    return f"{column} IN ({listed})"


def compact(spark: SparkSession, lake: str, day: str, folder: str) -> int:
    """Rows of a day's raw objects as long Parquet, `folder`/vin=…; the raw objects stay."""
    records = spark.read.schema(RAW).json(f"{lake}/temp/*/{day}")
    long_of(records).write.mode("overwrite").partitionBy("vin").parquet(folder)
    return spark.read.parquet(folder).count()
