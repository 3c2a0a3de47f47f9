"""What truly happened, as Arrow tables: health, trips, charges, and the vehicle registry.

For tests and for the demo's comparison only; the pipeline never reads it (except the registry, which any operator has).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from ev_platform.lake.schemas import TIME, VEHICLES
from ev_platform.simulate.fleet import Fleet
from ev_platform.simulate.streams import day_of_ms

HEALTH = pa.schema(
    [
        pa.field("vin", pa.string()),
        pa.field("day", pa.date32()),
        pa.field("soh_percent", pa.float64()),
        pa.field("usable_kwh", pa.float64()),
        pa.field("usable_new_kwh", pa.float64()),
        pa.field("reserve_kwh", pa.float64()),
    ]
)
"""True health at 00:00 UTC of each day; state of health = usable_kwh over the model's usable_new_kwh."""

TRIPS = pa.schema(
    [
        pa.field("vin", pa.string()),
        pa.field("start", TIME),
        pa.field("end", TIME),
        pa.field("distance_km", pa.float64()),
        pa.field("energy_kwh", pa.float64(), metadata={"description": "drawn at the battery, net of recuperation"}),
        pa.field("soc_start", pa.float64()),
        pa.field("soc_end", pa.float64()),
        pa.field("observed", pa.bool_(), metadata={"description": "false: its telemetry never reached the broker"}),
    ]
)

CHARGES = pa.schema(
    [
        pa.field("vin", pa.string()),
        pa.field("start", TIME),
        pa.field("end", TIME),
        pa.field("soc_start", pa.float64(), metadata={"description": "true percent of usable energy, not the BMS's"}),
        pa.field("soc_end", pa.float64()),
        pa.field("energy_kwh", pa.float64(), metadata={"description": "put in at the battery's terminals"}),
        pa.field("charge_type", pa.string(), metadata={"description": "ac | dc"}),
        pa.field("over_midnight", pa.bool_()),
        pa.field("observed", pa.bool_(), metadata={"description": "false: its telemetry never reached the broker"}),
    ]
)


@dataclass(frozen=True)
class Truth:
    """The true history of a scenario from its first day to one of its days, and its registry."""

    health: pa.Table
    trips: pa.Table
    charges: pa.Table
    vehicles: pa.Table

    def write(self, folder: Path) -> Path:
        """Write one Parquet file per table and `vehicles.csv`, the registry as EV_VEHICLES_FILE takes it; its path."""
        folder.mkdir(parents=True, exist_ok=True)
        for name in ("health", "trips", "charges", "vehicles"):
            pyarrow.parquet.write_table(getattr(self, name), folder / f"{name}.parquet")
        pyarrow.csv.write_csv(self.vehicles, folder / "vehicles.csv")
        return folder / "vehicles.csv"


def registry(fleet: Fleet) -> pa.Table:
    """The vehicle registry (schema VEHICLES) of a fleet."""
    rows = [
        {
            "vin": car.vin,
            "provider": "tesla",
            "make": "Tesla",
            "model": car.model.name,
            "chemistry": car.model.chemistry,
            "usable_new_kwh": car.model.usable_new_kwh,
            "reference_source": "simulated model table",
            "first_registration": car.first_registration,
        }
        for car in fleet.cars
    ]
    return pa.Table.from_pylist(rows, VEHICLES)


def true_history(fleet: Fleet, first_day: date, last_day: date) -> Truth:
    """What happened from the fleet's first day to `last_day`; trips and charges by the day on which they start."""
    health: list[dict[str, Any]] = []
    trips: list[dict[str, Any]] = []
    charges: list[dict[str, Any]] = []
    days = [first_day + timedelta(days=n) for n in range((last_day - first_day).days + 1)]
    for index, car in enumerate(fleet.cars):
        for day in days:
            lived = fleet.true_day(index, day)
            health.append(
                {
                    "vin": car.vin,
                    "day": day,
                    "soh_percent": lived.before.soh_percent,
                    "usable_kwh": lived.before.capacity_kwh(car),
                    "usable_new_kwh": car.model.usable_new_kwh,
                    "reserve_kwh": car.reserve_kwh,
                }
            )
            trips.extend({"vin": car.vin, **_times(trip.__dict__)} for trip in lived.trips)
            for charge in lived.charges:
                over = day_of_ms(charge.start_ms) != day_of_ms(charge.end_ms - 1)
                charges.append({"vin": car.vin, **_times(charge.__dict__), "over_midnight": over})
    return Truth(
        pa.Table.from_pylist(health, HEALTH),
        pa.Table.from_pylist(trips, TRIPS),
        pa.Table.from_pylist(charges, CHARGES),
        registry(fleet),
    )


def _times(row: dict[str, Any]) -> dict[str, Any]:
    """`start_ms`, `end_ms` as the microseconds that Arrow stores."""
    rest = {name: value for name, value in row.items() if name not in ("start_ms", "end_ms")}
    return {"start": row["start_ms"] * 1000, "end": row["end_ms"] * 1000, **rest}
