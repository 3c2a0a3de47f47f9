"""Arrow schemas of the energy tables. Units stand in the names: MW is the mean power of a half-hour, MWh = MW × 0.5.

Belongs here: column names, types, units and meaning. Not here: how rows are made (energy/refine_*.py, marts.py).
"""

from __future__ import annotations

import pyarrow as pa

from ev_platform.lake.schemas import TIME

SLOT_HOURS = 0.5
"""Every half-hourly table; real-time quarter-hours are averaged into it."""

_TEXT, _REAL, _INT, _FLAG = pa.string(), pa.float64(), pa.int64(), pa.bool_()


def _schema(*rows: tuple[str, pa.DataType, str] | tuple[str, pa.DataType, str, str]) -> pa.Schema:
    fields = []
    for name, kind, meaning, *unit in rows:
        metadata = {"description": meaning} | ({"unit": unit[0]} if unit else {})
        fields.append(pa.field(name, kind, metadata=metadata))
    return pa.schema(fields)


def _power(*kinds: tuple[str, str]) -> list[tuple[str, pa.DataType, str, str]]:
    return [(f"{name}_mw", _REAL, meaning, "MW") for name, meaning in kinds]


KINDS = ("thermal", "nuclear", "wind", "solar", "hydro", "bioenergy")
"""Kinds of production whose sum is the production. Pumping is a load (zero or negative) and is none of them."""

_QUALITY = (
    "quality",
    _TEXT,
    "ok | gap (nothing was published) | conflict (rows of the instant differ)"
    " | shifted (local time and instant disagree) | partial (one quarter-hour of two)",
)
_NATURE = ("nature", _TEXT, "definitive | consolidated | real_time; null in a gap")
_RANK = ("rank", pa.int8(), "3 definitive, 2 consolidated, 1 real time: a higher one replaces a lower one")

GRID_LOAD_REGIONAL = _schema(
    ("region_code", _TEXT, "INSEE code of the region"),
    ("region", _TEXT, "name of the region"),
    ("instant", TIME, "begin of the half-hour"),
    *_power(
        ("consumption", "consumption"),
        *((kind, f"production: {kind}") for kind in KINDS),
        ("pumping", "pumped storage, filling: zero or negative"),
        ("exchange", "physical exchange with neighbours, positive = import"),
        ("storage_charge", "batteries, charging"),
        ("storage_discharge", "batteries, discharging"),
        ("wind_onshore", "of wind: onshore"),
        ("wind_offshore", "of wind: offshore"),
        ("production", "sum of the six kinds; null if none is known"),
    ),
    *((f"coverage_{kind}_percent", _REAL, f"{kind} as a share of consumption, as published", "%") for kind in KINDS),
    *((f"load_{kind}_percent", _REAL, f"{kind} as a share of what is installed, as published", "%") for kind in KINDS),
    _NATURE,
    _RANK,
    _QUALITY,
)

GRID_MIX_NATIONAL = _schema(
    ("instant", TIME, "begin of the half-hour"),
    *_power(
        ("consumption", "consumption"),
        ("forecast_day_ahead", "consumption forecast the day before"),
        ("forecast_same_day", "consumption forecast on the day"),
        ("oil", "production: oil"),
        ("coal", "production: coal"),
        ("gas", "production: gas"),
        *((kind, f"production: {kind}") for kind in KINDS),
        ("pumping", "pumped storage, filling: zero or negative"),
        ("exchange", "physical exchange with neighbours, positive = import"),
        ("production", "oil + coal + gas + nuclear + wind + solar + hydro + bioenergy"),
        ("exchange_england", "commercial exchange, positive = import"),
        ("exchange_spain", "commercial exchange"),
        ("exchange_italy", "commercial exchange"),
        ("exchange_switzerland", "commercial exchange"),
        ("exchange_germany_belgium", "commercial exchange"),
        ("oil_turbine", "of oil"),
        ("oil_cogeneration", "of oil"),
        ("oil_other", "of oil"),
        ("gas_turbine", "of gas"),
        ("gas_cogeneration", "of gas"),
        ("gas_combined_cycle", "of gas"),
        ("gas_other", "of gas"),
        ("hydro_river", "of hydro: run of the river and poundage"),
        ("hydro_lake", "of hydro: lakes"),
        ("hydro_pumped", "of hydro: turbines of pumped storage"),
        ("bioenergy_waste", "of bioenergy"),
        ("bioenergy_biomass", "of bioenergy"),
        ("bioenergy_biogas", "of bioenergy"),
    ),
    ("co2_g_per_kwh", _REAL, "direct emissions of the production", "g/kWh"),
    _NATURE,
    _RANK,
    _QUALITY,
)

HALF_HOUR = _schema(
    ("region_code", _TEXT, "INSEE code of the region; null for the country"),
    ("region", _TEXT, "name of the region; null for the country"),
    ("instant", TIME, "begin of the half-hour"),
    ("electricity_mw", _REAL, "electricity", "MW"),
    ("gas_grtgaz_mw", _REAL, "gas of NaTran (GRTgaz), higher heating value at 0 °C; hourly", "MW"),
    ("gas_terega_mw", _REAL, "gas of Teréga; hourly", "MW"),
    ("gas_mw", _REAL, "gas; null between the hours, and where there is none (Corse)", "MW"),
    ("total_mw", _REAL, "electricity + gas", "MW"),
    ("electricity_status", _TEXT, "as published"),
    ("gas_status", _TEXT, "as published"),
    _QUALITY,
)

ANNUAL_ENERGY = _schema(
    ("year", pa.int16(), "year"),
    ("region_code", _TEXT, "INSEE code of the region; null for the country"),
    ("region", _TEXT, "name of the region; null for the country"),
    ("electricity_gwh", _REAL, "electricity", "GWh"),
    ("electricity_corrected_gwh", _REAL, "electricity, corrected for weather", "GWh"),
    ("gas_grtgaz_gwh", _REAL, "gas of NaTran (GRTgaz), higher heating value at 0 °C", "GWh"),
    ("gas_terega_gwh", _REAL, "gas of Teréga", "GWh"),
    ("gas_gwh", _REAL, "gas; null where there is none (Corse)", "GWh"),
    ("total_gwh", _REAL, "electricity + gas", "GWh"),
    ("electricity_status", _TEXT, "as published"),
    ("gas_status", _TEXT, "as published"),
)

DEMOGRAPHY = (
    "nombre_d_habitants", "taux_de_logements_collectifs", "taux_de_residences_principales",
    "superficie_des_logements_30_m2", "superficie_des_logements_30_a_40_m2", "superficie_des_logements_40_a_60_m2",
    "superficie_des_logements_60_a_80_m2", "superficie_des_logements_80_a_100_m2", "superficie_des_logements_100_m2",
    "residences_principales_avant_1919", "residences_principales_de_1919_a_1945",
    "residences_principales_de_1946_a_1970", "residences_principales_de_1971_a_1990",
    "residences_principales_de_1991_a_2005", "residences_principales_de_2006_a_2015",
    "residences_principales_apres_2016", "taux_de_chauffage_electrique",
)  # fmt: skip
"""Carried along as published, under the producer's names."""

ANNUAL_PLACE = _schema(
    ("year", pa.int16(), "year"),
    ("operator", _TEXT, "network operator; one place has many"),
    ("energy", _TEXT, "electricity | gas"),
    ("place_code", _TEXT, "INSEE code of the commune or department: join on this, names have several spellings"),
    ("place", _TEXT, "name of the place"),
    ("department_code", _TEXT, "code of the department"),
    ("region_code", _TEXT, "INSEE code of the region"),
    ("region", _TEXT, "name of the region"),
    ("epci_code", _TEXT, "code of the group of communes"),
    ("category", _TEXT, "RES | PRO | ENT"),
    ("sector", _TEXT, "RESIDENTIEL | TERTIAIRE | INDUSTRIE | AGRICULTURE | INCONNU"),
    ("naf2", _TEXT, "division of the French activity code, 01 to 99"),
    ("sites", _INT, "delivery points"),
    ("total_mwh", _REAL, "consumption", "MWh"),
    ("mean_mwh", _REAL, "consumption per site as published; null where withheld", "MWh"),
    ("withheld", _FLAG, "kept back by the producer (statistical secrecy): sites and total are unknown, not zero"),
    ("hidden_cells", _INT, "cells kept back within the row, where published"),
    *((name, _REAL, "as published") for name in DEMOGRAPHY),
)

ANNUAL_ADDRESS = _schema(
    ("year", pa.int16(), "year"),
    ("address", _TEXT, "number, repetition, kind and name of the street"),
    ("street_number", _TEXT, "number"),
    ("repetition", _TEXT, "bis, ter, A …"),
    ("street_kind", _TEXT, "rue, avenue …"),
    ("street", _TEXT, "name of the street"),
    ("iris_code", _TEXT, "INSEE statistical district"),
    ("iris", _TEXT, "name of the district"),
    ("commune_code", _TEXT, "INSEE code of the commune"),
    ("commune", _TEXT, "name of the commune"),
    ("epci_code", _TEXT, "code of the group of communes"),
    ("department_code", _TEXT, "code of the department"),
    ("region_code", _TEXT, "INSEE code of the region"),
    ("segment", _TEXT, "RESIDENTIEL"),
    ("homes", _INT, "homes at the address; 10 at least, others are not published"),
    ("total_mwh", _REAL, "electricity of the address", "MWh"),
    ("mean_mwh", _REAL, "per home, as published", "MWh"),
    ("commune_mean_mwh", _REAL, "mean of the commune, as published", "MWh"),
)

VEHICLES_COMMUNE = _schema(
    ("commune_code", _TEXT, "INSEE code of the commune"),
    ("date", pa.date32(), "day of the count"),
    ("cars", _INT, "cars"),
    ("electric_cars", _INT, "cars that can be charged, electric and plug-in"),
    ("plug_in_gas_cars", _INT, "of others that can be charged"),
)

CONSUMPTION_TOTAL_MEAN = _schema(
    ("year", pa.int16(), "year"),
    ("energy", _TEXT, "electricity | gas"),
    ("level", _TEXT, "address | commune | department | region | national | sector | category | naf"),
    ("code", _TEXT, "code of the place, sector, category or activity; FR for the country"),
    ("name", _TEXT, "its name"),
    ("parent_code", _TEXT, "commune of an address, department of a commune, region of a department"),
    ("sites", _INT, "delivery points or homes that the total is of; null where not published"),
    ("total_mwh", _REAL, "consumption; a lower bound where rows were withheld", "MWh"),
    ("mean_mwh", _REAL, "total / sites; never a mean of means", "MWh"),
    ("reference_mean_mwh", _REAL, "mean of the commune, beside that of an address", "MWh"),
    ("rows", _INT, "rows summed"),
    ("withheld_rows", _INT, "rows kept back by statistical secrecy, which the total lacks"),
    ("source", _TEXT, "table it is made from: one place has a row per source"),
)
