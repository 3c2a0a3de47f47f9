"""Hand-made days: sessions and cleaned rows of which every figure can be worked out on paper."""

from datetime import UTC, datetime, timedelta

import pyarrow as pa

from ev_platform.lake.schemas import SESSIONS, TIME, VEHICLES
from ev_platform.lake.schemas_results import TARIFFS

DAY, NEXT = "2026-11-02", "2026-11-03"
CAR, OTHER = "5YJ3E1EA7KF000001", "5YJ3E1EA7KF000002"


def at(hour, minute=0, second=0, day=2):
    return datetime(2026, 11, day, tzinfo=UTC) + timedelta(hours=hour, minutes=minute, seconds=second)


def session(kind, start, end, soc, energy=None, km=0.0, vin=CAR, **more):
    """One row of SESSIONS; soc is (start, end)."""
    row = dict.fromkeys(SESSIONS.names) | {
        "session_id": f"{vin[-3:]}-{start:%d%H%M}",
        "vin": vin,
        "kind": kind,
        "asleep": False,
        "start": start,
        "end": end,
        "soc_start": soc[0],
        "soc_end": soc[1],
        "energy_kwh": energy,
        "energy_method": "power_integral",
        "distance_km": km,
        "outside_temp_mean_c": 7.0,
        "inferred": False,
        "truncated": False,
        "confidence": 1.0,
        "reasons": [],
        "n_samples": 10,
    }
    return row | more


def sessions(*rows):
    return pa.Table.from_pylist(list(rows), schema=SESSIONS)


def cleaned(*rows):
    """Rows of dicts with vin (CAR by default), time and any columns."""
    columns = sorted({name for row in rows for name in row} - {"vin", "time", "quality"})
    schema = pa.schema(
        [("vin", pa.string()), ("time", TIME), ("provider", pa.string()), ("quality", pa.list_(pa.string()))]
        + [(name, pa.float64()) for name in columns if name != "provider"]
    )
    empty = {name: None for name in schema.names} | {"vin": CAR, "provider": "tesla", "quality": []}
    return pa.Table.from_pylist([empty | row for row in rows], schema=schema)


def vehicles(**more):
    row = dict.fromkeys(VEHICLES.names) | {"vin": CAR, "make": "T", "model": "M", "usable_new_kwh": 60.0}
    return pa.Table.from_pylist([row | more], schema=VEHICLES)


def tariffs(*rows):
    return pa.Table.from_pylist([dict.fromkeys(TARIFFS.names) | row for row in rows], schema=TARIFFS)
