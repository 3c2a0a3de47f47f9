"""The vehicle registry: the operator's file, the providers' lists, nominal figures where a capacity is missing.

Belongs here: joining them. Not here: reading the file (lake/registry.py), the check digit (lake/vin.py).
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import lru_cache

import orjson
import pyarrow as pa

from ev_platform.errors import UserError
from ev_platform.lake.layout import compressed_prefix, provider_state_key, valid_vin, vehicle_state_key
from ev_platform.lake.registry import read_vehicles
from ev_platform.lake.schemas import VEHICLES
from ev_platform.lake.store import ObjectStore
from ev_platform.lake.vin import vin_check
from ev_platform.providers.base import Vehicle
from ev_platform.providers.connect import PROVIDERS
from ev_platform.signals.catalogue import DIRECTORY


@dataclass(frozen=True)
class NominalModel:
    """Published figures of one model when new."""

    make: str
    words: frozenset[str]
    usable_kwh: float
    consumption_wh_per_km: float
    source: str


def vehicle_registry(vehicles_file: str, store: ObjectStore) -> pa.Table:
    """Schema VEHICLES, sorted by vin: every vehicle of the file or of a provider's list; `vin_check` for all.

    A list does not make its provider the preferred one: that is the file's choice, else the one with the most rows.

    Raises:
        UserError: the file cannot be used.
    """
    rows = {row["vin"]: row for row in read_vehicles(vehicles_file).to_pylist()}
    for provider in PROVIDERS:
        for car in listed(store, provider):
            row = rows.setdefault(car.vin, {"vin": car.vin})
            row["listed_by"] = " ".join(sorted({*(row.get("listed_by") or "").split(), provider}))
            row["make"] = row.get("make") or _title(car.make)
            row["model"] = row.get("model") or car.model
    for row in rows.values():
        row["vin_check"] = vin_check(row["vin"])
        _fill_nominal(row)
    return pa.Table.from_pylist([rows[vin] for vin in sorted(rows)], VEHICLES)


def listed(store: ObjectStore, provider: str) -> list[Vehicle]:
    """Vehicles that the provider lists, as it was asked last; where it has no list, those that it reported."""
    data = store.read(provider_state_key(provider, "fleet")).data
    if data is not None:
        return [car for row in orjson.loads(data)["vehicles"] if valid_vin((car := Vehicle(*row)).vin)]
    prefix = vehicle_state_key(provider, "").rpartition("/")[0]
    vins = [key.rpartition("/")[2].removesuffix(".json") for key in store.keys(prefix)]
    return [Vehicle(vin) for vin in vins if valid_vin(vin)]


def unknown_vehicles(store: ObjectStore, known: set[str]) -> list[str]:
    """VINs that send data and stand in no registry: raw data that waits, and the newest compacted day."""
    seen = set(store.list_folders("temp"))
    folder = "compressed"
    for _ in range(3):
        names = store.list_folders(folder)
        if not names:
            break
        folder = f"{folder}/{names[-1]}"
    if folder.count("/") == 3:
        day = folder.removeprefix("compressed/").replace("/", "-")
        seen |= {key.rpartition("/")[2].removesuffix(".parquet") for key in store.keys(compressed_prefix(day))}
    return sorted(vin for vin in seen - known if valid_vin(vin))


@lru_cache(maxsize=1)
def nominal_models() -> tuple[NominalModel, ...]:
    """The table of nominal figures (signals/models.csv).

    Raises:
        UserError: a line is wrong; names it.
    """
    path = DIRECTORY / "models.csv"
    lines = [line for line in path.read_text(encoding="utf-8").splitlines() if line and not line.startswith("#")]
    found = []
    for number, row in enumerate(csv.DictReader(lines), start=2):
        try:
            usable, consumption = float(row["usable_kwh"]), float(row["consumption_wh_per_km"])
            words = frozenset(row["model"].lower().split())
            if not (row["source"] and words and usable > 0 and consumption > 0):
                raise ValueError("source, model, usable capacity and consumption are needed")
            found.append(NominalModel(row["make"].lower(), words, usable, consumption, row["source"]))
        except (KeyError, TypeError, ValueError) as error:
            raise UserError(f"{path.name}, data line {number}: {error}") from None
    return tuple(found)


def nominal(make: str | None, model: str | None, trim: str | None) -> NominalModel | None:
    """The model whose words all occur in model and trim; the one with the most words, the first of equals."""
    words = set(f"{model or ''} {trim or ''}".lower().split())
    fitting = [one for one in nominal_models() if one.make == (make or "").lower() and one.words <= words]
    return max(fitting, key=lambda one: len(one.words), default=None)


def _fill_nominal(row: dict[str, object]) -> None:
    found = nominal(_text(row, "make"), _text(row, "model"), _text(row, "trim"))
    if found is None:
        return
    row["consumption_wh_per_km"] = row.get("consumption_wh_per_km") or found.consumption_wh_per_km
    if not row.get("usable_new_kwh"):
        row["usable_new_kwh"], row["reference_source"] = found.usable_kwh, f"nominal ({found.source})"


def _text(row: dict[str, object], name: str) -> str | None:
    value = row.get(name)
    return value if isinstance(value, str) else None


def _title(make: str | None) -> str | None:
    """`mercedes-benz` as `Mercedes-Benz`; short names as they are written."""
    if make is None or make != make.lower():
        return make
    return make.upper() if make in ("bmw", "ds", "mini") else make.title()
