"""Charges: curve, power class, efficiency from charger to battery, cost.

Belongs here: results/charging and results/charge_curves. Not here: where a charge begins and ends, its energy
(transform/).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Any

import polars as pl
import pyarrow as pa

from ev_platform.lake.schemas_results import CHARGE_CURVES, CHARGING
from ev_platform.usage.frames import HOUR, VEHICLES, frame, in_session, listed, starting_on, to_arrow

SLOW_KW, FAST_KW = 8.0, 45.0
"""Limits of the power classes."""
BIN_PERCENT = 2.0
MIN_CHARGER_KWH = 1.0
"""Less energy at the charger than this is mostly its counter's step."""
PLAUSIBLE_EFFICIENCY = (50.0, 102.0)
RESET_SHARE = 0.5
"""A counter that falls below this share of its last value began anew."""
COUNTER_MARGIN = timedelta(minutes=5)
"""A charger's counter is sent rarely: its last value may come a little after the charge."""
HOLD = timedelta(minutes=3)


def charging(
    sessions: pl.DataFrame, cleaned: pl.DataFrame, vehicles: pa.Table, day: str, tariffs: pa.Table | None = None
) -> pa.Table:
    """results/charging of a day.

    Args:
        sessions: of this day, sorted (`sorted_sessions`).
        cleaned: rows of this day, and of the next one for charges that run over midnight.
        vehicles: VEHICLES.
        day: "YYYY-MM-DD".
        tariffs: TARIFFS; without it there is no cost.
    """
    charges = starting_on(sessions.filter(pl.col("kind") == "charge"), day)
    registry = frame(vehicles, VEHICLES).unique("vin", keep="first").select("vin", "usable_new_kwh")
    rows = charges.join(_charger_energy(cleaned, charges), on="session_id", how="left").join(
        registry, on="vin", how="left", maintain_order="left"
    )
    hours = (pl.col("end") - pl.col("start")).dt.total_microseconds() * HOUR
    measured = pl.col("energy_method").is_in(["counter", "power_integral"]).fill_null(value=False)
    efficiency = 100 * pl.col("energy_kwh") / pl.col("energy_charger_kwh")
    ac = (pl.col("charge_type") == "ac").fill_null(value=False)
    judged = ac & measured & (pl.col("energy_charger_kwh") >= MIN_CHARGER_KWH).fill_null(value=False)
    sound = judged & ~pl.col("truncated").fill_null(value=False) & efficiency.is_between(*PLAUSIBLE_EFFICIENCY)
    power = pl.coalesce("power_max_kw", "power_mean_kw").abs()
    rows = rows.with_columns(
        duration_min=60 * hours,
        efficiency_percent=pl.when(sound).then(efficiency),
        power_class=pl.when(pl.col("inferred").fill_null(value=False) | power.is_null())
        .then(None)
        .when(power < SLOW_KW)
        .then(pl.lit("slow"))
        .when(power <= FAST_KW)
        .then(pl.lit("medium"))
        .otherwise(pl.lit("fast")),
        c_rate=pl.col("power_mean_kw") / pl.col("usable_new_kwh"),
        reasons=pl.concat_list(
            pl.col("reasons").fill_null([]),
            listed(
                energy_unknown=pl.col("energy_kwh").is_null(),
                implausible_efficiency=judged & ~efficiency.is_between(*PLAUSIBLE_EFFICIENCY),
                no_charger_counter=ac & pl.col("energy_charger_kwh").is_null(),
            ),
        ),
    )
    return to_arrow(_with_cost(rows, tariffs).sort("vin", "start"), CHARGING)


def _charger_energy(cleaned: pl.DataFrame, charges: pl.DataFrame) -> pl.DataFrame:
    """session_id, energy_charger_kwh: what the charger's counter rose by, resets included."""
    rows = cleaned.filter(pl.col("charge_energy_charger_kwh").is_not_null()).select(
        "vin", "time", "charge_energy_charger_kwh"
    )
    inside = in_session(rows, charges, COUNTER_MARGIN)
    value = pl.col("charge_energy_charger_kwh")
    before = value.shift(1).over("session_id")
    rise = pl.when(value < before * RESET_SHARE).then(value).otherwise((value - before).clip(lower_bound=0))
    return (
        inside.with_columns(rise=rise)
        .group_by("session_id", maintain_order=True)
        .agg(energy_charger_kwh=pl.when(pl.len() >= 2).then(pl.col("rise").sum()))
        .with_columns(pl.when(pl.col("energy_charger_kwh") > 0).then("energy_charger_kwh"))
    )


def _with_cost(rows: pl.DataFrame, tariffs: pa.Table | None) -> pl.DataFrame:
    """Adds cost, currency and tariff. What the charger gave is paid; without it what the battery took."""
    lines = [] if tariffs is None else tariffs.to_pylist()
    found: list[dict[str, Any]] = []
    for row in rows.iter_rows(named=True):
        line = next((one for one in lines if _fits(one, row["charge_type"], row["start"])), None)
        energy = row["energy_charger_kwh"] or row["energy_kwh"]
        reasons = list(row["reasons"])
        if line is None or energy is None:
            found.append({"cost": None, "currency": None, "tariff": None, "reasons": reasons})
            continue
        if not row["energy_charger_kwh"]:
            reasons.append("cost_of_battery_energy")
        cost = energy * line["price_per_kwh"] + (line["session_fee"] or 0.0)
        found.append({"cost": cost, "currency": line["currency"], "tariff": line["tariff"], "reasons": reasons})
    types: dict[str, pl.DataType] = {"cost": pl.Float64(), "currency": pl.String(), "tariff": pl.String()}
    types |= {"reasons": pl.List(pl.String())}
    return rows.drop("reasons").hstack(pl.DataFrame(found, schema=types))


def _fits(line: dict[str, Any], charge_type: str | None, start: datetime) -> bool:
    """Whether a tariff holds for a charge of that type that starts then."""
    if line["charge_type"] not in (None, "any", charge_type):
        return False
    first, last = line["valid_from"] or date.min, line["valid_to"] or date.max
    begin, end = line["start_hour"] or 0, 24 if line["end_hour"] is None else line["end_hour"]
    hour = start.hour
    inside = begin <= hour < end if begin < end else hour >= begin or hour < end
    return bool(first <= start.date() <= last and inside)


def charge_curves(sessions: pl.DataFrame, cleaned: pl.DataFrame, charging_table: pa.Table, day: str) -> pa.Table:
    """results/charge_curves of a day: median power per SoC bin of each charge that was seen."""
    charges = starting_on(sessions.filter((pl.col("kind") == "charge") & ~pl.col("inferred").fill_null(False)), day)
    wanted: Sequence[str] = ("pack_current_a", "charger_ac_power_kw", "charger_dc_power_kw", "soc_percent")
    rows = cleaned.filter(pl.any_horizontal(pl.col(wanted).is_not_null()))
    rows = in_session(rows, charges)
    key = ["session_id"]
    seen = pl.when(pl.col("soc_percent").is_not_null()).then(pl.col("time")).forward_fill().over(key)
    stated = pl.max_horizontal("charger_dc_power_kw", "charger_ac_power_kw")
    pack = pl.col("pack_voltage_v") * pl.col("pack_current_a") * 0.001
    rows = rows.with_columns(
        soc=pl.when(pl.col("time") - seen <= HOLD).then(pl.col("soc_percent").forward_fill().over(key)),
        power=pl.coalesce(pack, stated),
        method=pl.when(pack.is_not_null()).then(pl.lit("pack")).otherwise(pl.lit("charger")),
        temp=pl.mean_horizontal("battery_temp_min_c", "battery_temp_max_c").forward_fill().over(key),
    ).filter(pl.col("soc").is_not_null(), pl.col("power") > 0)
    classes = pl.DataFrame(pl.from_arrow(charging_table.select(["session_id", "power_class"])))
    curve = (
        rows.with_columns(
            soc_bin=((pl.col("soc") * (1 / BIN_PERCENT)).floor() * BIN_PERCENT).clip(0, 100 - BIN_PERCENT)
        )
        .group_by("vin", "start", "session_id", "soc_bin")
        .agg(
            power_kw=pl.col("power").median(),
            battery_temp_c=pl.col("temp").median(),
            n_samples=pl.len().cast(pl.Int64),
            method=pl.when((pl.col("method") == "pack").mean() >= 0.5)
            .then(pl.lit("pack"))
            .otherwise(pl.lit("charger")),
        )
        .join(classes, on="session_id", how="left")
        .sort("vin", "start", "soc_bin")
    )
    return to_arrow(curve, CHARGE_CURVES)
