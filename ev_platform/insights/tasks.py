"""What the insight assets do, one function each: read tables of the lake, call a pure transform, hand back a table.

Tables of other rooms are read by their place in the lake and the columns of lake/schemas_insights.py; one that was
never made has no rows, and what depends on it is null.
"""

from __future__ import annotations

import calendar
from collections.abc import Sequence
from datetime import date, timedelta

import polars as pl
import pyarrow as pa

from ev_platform.insights.flexibility import charge_windows, charging_flexibility
from ev_platform.insights.grid_load import charging_grid_load, ranked
from ev_platform.insights.places import charges_with_region
from ev_platform.insights.price_table import read_price_table
from ev_platform.insights.region_pressure import fleet_use, region_ev_pressure
from ev_platform.insights.regions import read_regions
from ev_platform.insights.residual_value import Car, residual_value
from ev_platform.insights.vehicle_360 import vehicle_360
from ev_platform.lake import schemas, schemas_insights
from ev_platform.lake.layout import partition_prefix
from ev_platform.lake.schemas_market import DEPRECIATION
from ev_platform.lake.store import ObjectStore
from ev_platform.lake.tables import from_parquet
from ev_platform.market.depreciation import laws
from ev_platform.settings import Settings

LOAD_TABLE, CO2_TABLE = "energy/grid_load_regional", "energy/grid_mix_national"
CARS_TABLE, METERED_TABLE = "energy/vehicles_commune", "energy/annual_commune"
STYLE_TABLE = "telematics/driving_style_daily"
GRID_DAYS = (-1, 2)
"""UTC days around that of a charge which its local day, a charge over midnight and a three-hour window can touch."""

POSITIONS = pa.schema([schemas.SESSIONS.field("vin"), pa.field("time", schemas.TIME), *(
    pa.field(name, pa.float64()) for name in ("latitude", "longitude"))])  # fmt: skip
STYLE = pa.schema(
    [
        pa.field("vin", pa.string()),
        pa.field("alarms", pa.int64()),
        *(pa.field(name, pa.float64()) for name in ("idling_s", "driving_s")),
    ]
)


def grid_load_day(settings: Settings, store: ObjectStore, day: str) -> pa.Table:
    """Charges that start on a UTC day, over half-hours, beside load and emissions."""
    sessions = _read(store, "results/sessions", [day], schemas.SESSIONS)
    positions = _read(store, "cleaned", _days_around(day, day, (-1, 1)), POSITIONS)
    regions = read_regions(settings.regions_file) if settings.regions_file else ()
    charges = charges_with_region(sessions, positions, regions)
    days = _days_around(day, day, GRID_DAYS)
    return charging_grid_load(charges, _load(store, days), _co2(store, days))


def flexibility_month(store: ObjectStore, month: str) -> pa.Table:
    """Off-peak share and emissions of the charges that start in a month."""
    slots, sessions = _month_slots(store, month), _read(store, "results/sessions", days_of(month), schemas.SESSIONS)
    return charging_flexibility(slots, sessions)


def windows_month(store: ObjectStore, month: str) -> pa.Table:
    """Each vehicle's best three hours in a month."""
    days = days_of(month)
    around = _days_around(days[0], days[-1], GRID_DAYS)
    return charge_windows(_month_slots(store, month), _co2(store, around), ranked(_load(store, around)), month)


def residual_value_month(settings: Settings, store: ObjectStore, month: str) -> pa.Table:
    """Values at the end of a month: what is known of a car up to then."""
    last = days_of(month)[-1]
    vehicles = _read(store, "ref/vehicles", None, schemas.VEHICLES)
    health = _read(store, "results/battery_health", None, schemas.BATTERY_HEALTH)
    sessions = _read(store, "results/sessions", None, schemas.SESSIONS, ["vin", "start", "odometer_end_km"])
    odometers = sessions.filter(pl.col("start").dt.date() <= date.fromisoformat(last)).group_by("vin")
    newest = health.filter((pl.col("method") == "pooled") & (pl.col("month") <= month)).drop_nulls("soh_percent")
    newest = newest.sort("vin", "month").group_by("vin", maintain_order=True).last()
    known = vehicles.join(odometers.agg(pl.col("odometer_end_km").max().alias("odometer_km")), on="vin", how="left")
    known = known.join(newest.select("vin", "soh_percent", "soh_sd"), on="vin", how="left")
    names = ("vin", "make", "model", "first_registration", "odometer_km", "soh_percent", "soh_sd")
    cars = [Car(*row) for row in known.select(names).iter_rows()]
    fitted = _read(store, "market/depreciation_models", None, DEPRECIATION).to_arrow().cast(DEPRECIATION)
    prices = read_price_table(settings.price_table_file)
    return residual_value(cars, laws(fitted), prices, month, date.fromisoformat(last))


def pressure(store: ObjectStore) -> pa.Table:
    """Share of places' electricity that their cars use; no rows without a fleet that was seen for a week."""
    use = fleet_use(
        _read(store, "results/sessions", None, schemas.SESSIONS, ["vin", "kind", "start", "end", "energy_kwh"])
    )
    if use is None:
        return schemas_insights.REGION_EV_PRESSURE.empty_table()
    cars = _read(store, CARS_TABLE, None, schemas_insights.CARS)
    metered = _read(store, METERED_TABLE, None, schemas_insights.METERED)
    return region_ev_pressure(cars, metered, use)


def everything_about_vehicles(store: ObjectStore) -> pa.Table:
    """One row per vehicle."""
    return vehicle_360(
        _read(store, "ref/vehicles", None, schemas.VEHICLES),
        _read(store, "results/sessions", None, schemas.SESSIONS),
        _read(store, "results/battery_health", None, schemas.BATTERY_HEALTH),
        _read(store, "insights/charging_flexibility", None, schemas_insights.CHARGING_FLEXIBILITY),
        _read(store, "insights/residual_value", None, schemas_insights.RESIDUAL_VALUE),
        _devices(store),
    )


def days_of(month: str) -> list[str]:
    """Days of a month, `YYYY-MM`."""
    year, number = int(month[:4]), int(month[5:7])
    return [date(year, number, day).isoformat() for day in range(1, calendar.monthrange(year, number)[1] + 1)]


def energy_kept(store: ObjectStore, day: str) -> dict[str, float]:
    """Charges of a day whose half-hours do not sum up to their energy, with the difference in kWh; {} when all do."""
    sessions = _read(store, "results/sessions", [day], schemas.SESSIONS)
    charged = sessions.filter((pl.col("kind") == "charge") & (pl.col("energy_kwh") > 0))
    slots = _read(store, "insights/charging_grid_load", [day], schemas_insights.CHARGING_GRID_LOAD)
    summed = slots.group_by("session_id").agg(pl.col("energy_kwh").sum().alias("in_slots"))
    both = charged.select("session_id", "energy_kwh").join(summed, on="session_id", how="full", coalesce=True)
    off = (pl.col("energy_kwh").fill_null(0.0) - pl.col("in_slots").fill_null(0.0)).alias("off")
    wrong = both.select("session_id", off).filter(pl.col("off").abs() > 1e-6)
    return dict(wrong.sort("session_id").iter_rows())


# -- reading ----------------------------------------------------------------------------------------------------------


def _read(
    store: ObjectStore, table: str, partitions: Sequence[str] | None, schema: pa.Schema, columns: Sequence[str] = ()
) -> pl.DataFrame:
    """Rows of a table with the columns of `schema` (or some of them), of some of its partitions or of all."""
    folders = [table] if partitions is None else [partition_prefix(table, part) for part in partitions]
    keys = [key for folder in folders for key in store.keys(folder) if key.endswith(".parquet")]
    wanted = pa.schema([schema.field(name) for name in (columns or schema.names)])
    parts = [from_parquet(data, wanted.names).cast(wanted) for _, data in store.get_many(keys) if data is not None]
    return pl.DataFrame(pl.from_arrow(pa.concat_tables([wanted.empty_table(), *parts])))


def _days_around(first: str, last: str, around: tuple[int, int]) -> list[str]:
    begin, end = (date.fromisoformat(day) + timedelta(days=n) for day, n in zip((first, last), around, strict=True))
    return [(begin + timedelta(days=n)).isoformat() for n in range((end - begin).days + 1)]


def _load(store: ObjectStore, days: Sequence[str]) -> pl.DataFrame:
    return _read(store, LOAD_TABLE, days, schemas_insights.LOAD)


def _co2(store: ObjectStore, days: Sequence[str]) -> pl.DataFrame:
    return _read(store, CO2_TABLE, days, schemas_insights.CO2)


def _month_slots(store: ObjectStore, month: str) -> pl.DataFrame:
    return _read(store, "insights/charging_grid_load", days_of(month), schemas_insights.CHARGING_GRID_LOAD)


def _devices(store: ObjectStore) -> pl.DataFrame:
    style = _read(store, STYLE_TABLE, None, STYLE).drop_nulls("vin")
    awake = pl.col("idling_s").sum() + pl.col("driving_s").sum()
    return style.group_by("vin").agg(
        pl.col("alarms").sum(), pl.when(awake > 0).then(pl.col("idling_s").sum() / awake).alias("idling_share")
    )
