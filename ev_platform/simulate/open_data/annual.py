"""Generated yearly consumption: true rows first, then what the portals publish of them (secrecy, spellings, texts).

The truth is in the units and names of the refined tables; publishing is the only place where it is spoiled.
"""

from __future__ import annotations

import zlib
from typing import Any

import numpy as np

from ev_platform.lake.schemas_energy import DEMOGRAPHY
from ev_platform.simulate.open_data.places import (
    CORSE,
    DEPARTMENTS,
    KINDS,
    REGIONS,
    STREETS,
    Region,
    communes,
    department_name,
)

Rows = list[dict[str, Any]]
COUNTRY_MWH = 430e6
FRENCH_ENERGY = {"electricity": "Electricité", "gas": "Gaz"}
SECTORS = (("RES", "RESIDENTIEL", (None,)), ("PRO", "TERTIAIRE", ("47", "86")), ("ENT", "INDUSTRIE", ("10", "25")))
WITHHELD_SHARE = {"RESIDENTIEL": 0.02, "TERTIAIRE": 0.25, "INDUSTRIE": 0.15}


def place_truth(seed: int, year: int) -> Rows:
    """Consumption per operator, energy, commune, category, sector and activity, in the columns of ANNUAL_PLACE."""
    rng = np.random.default_rng([seed, year, 1])
    rows: Rows = []
    for region in (*REGIONS, CORSE):
        for department in DEPARTMENTS[region.code]:
            for code, name in communes(department):
                energies = ("electricity",) if region is CORSE else ("electricity", "gas")
                demography = {column: round(float(rng.uniform(0, 100)), 6) for column in DEMOGRAPHY}
                for energy in energies:
                    rows += _commune_rows(rng, year, region, department, code, name, energy, demography)
    factor = COUNTRY_MWH / sum(row["total_mwh"] for row in rows if row["energy"] == "electricity")
    for row in rows:
        row["total_mwh"] = round(row["total_mwh"] * factor, 3)
        row["mean_mwh"] = round(row["total_mwh"] / row["sites"], 3)
    return rows


def _commune_rows(
    rng: np.random.Generator,
    year: int,
    region: Region,
    department: str,
    code: str,
    name: str,
    energy: str,
    demography: dict[str, float],
) -> Rows:
    rows: Rows = []
    operators = {"electricity": ("Enedis", "Régie du Val"), "gas": ("GRDF",)}[energy]
    for operator in operators[: 1 + int(rng.random() < 0.3)]:
        for category, sector, activities in SECTORS:
            for naf2 in activities:
                sites = int(rng.integers(1, 900) if sector == "RESIDENTIEL" else rng.integers(1, 12))
                zero = sector == "TERTIAIRE" and rng.random() < 0.05
                withheld = not zero and bool(rng.random() < WITHHELD_SHARE[sector])
                rows.append(
                    {
                        "year": year, "operator": operator, "energy": energy, "place_code": code, "place": name,
                        "department_code": department, "region_code": region.code, "region": region.name,
                        "epci_code": f"2000{code}", "category": category, "sector": sector, "naf2": naf2,
                        "sites": sites, "total_mwh": 0.0 if zero else float(rng.uniform(1, 9)) * sites * region.share,
                        "withheld": withheld, "hidden_cells": int(withheld), **demography,
                    }
                )  # fmt: skip
    return rows


def department_truth(seed: int, year: int) -> Rows:
    """The commune truth summed by department; only very few rows are withheld there."""
    rng = np.random.default_rng([seed, year, 2])
    sums: dict[tuple[Any, ...], dict[str, Any]] = {}
    for row in place_truth(seed, year):
        key = tuple(row[name] for name in ("operator", "energy", "department_code", "category", "sector", "naf2"))
        if key not in sums:
            none = dict.fromkeys(DEMOGRAPHY)
            name = department_name(row["department_code"], rng)
            sums[key] = {**row, **none, "place_code": row["department_code"], "place": name, "epci_code": None}
            sums[key] |= {"sites": 0, "total_mwh": 0.0, "withheld": bool(rng.random() < 0.02), "hidden_cells": None}
        sums[key]["sites"] += row["sites"]
        sums[key]["total_mwh"] = round(sums[key]["total_mwh"] + row["total_mwh"], 3)
    for row in sums.values():
        row["mean_mwh"] = round(row["total_mwh"] / row["sites"], 3)
    return list(sums.values())


def publish_place(truth: Rows, kind: str) -> Rows:
    """Rows of the commune (`commune`) or department (`departement`) set as a portal has them."""
    rows: Rows = []
    for row in truth:
        hidden = row["withheld"]
        place = {f"code_{kind}": row["place_code"], f"nom_{kind}": row["place"]}
        epci = {"code_epci": row["epci_code"], "nom_epci": "CC du Val", "type_epci": "CC"} if kind == "commune" else {}
        department = {"code_departement": row["department_code"], "nom_departement": row["place"]}
        cells = {"nombre_de_mailles_secretisees": row["hidden_cells"]} if kind == "commune" else {}
        zero = 0.0 if kind == "commune" else None  # secrecy looks like a zero there, like a null here
        rows.append(
            {
                "operateur": row["operator"], "filiere": FRENCH_ENERGY[row["energy"]], "annee": row["year"],
                **place, **epci, **({} if kind == "departement" else department),
                "code_region": row["region_code"], "nom_region": row["region"],
                "code_categorie_consommation": row["category"], "code_grand_secteur": row["sector"],
                "code_secteur_naf2": row["naf2"], "nb_sites": None if hidden else row["sites"],
                "conso_totale_mwh": None if hidden else row["total_mwh"],
                "conso_moyenne_mwh": zero if hidden else row["mean_mwh"],
                **{name: row[name] for name in DEMOGRAPHY}, **cells,
            }
        )  # fmt: skip
    return rows


def address_truth(seed: int, year: int) -> Rows:
    """Addresses with ten homes or more, in the columns of ANNUAL_ADDRESS."""
    rng = np.random.default_rng([seed, year, 3])
    rows: Rows = []
    for region in (*REGIONS, CORSE):
        for department in DEPARTMENTS[region.code]:
            for code, name in communes(department):
                mean = round(float(rng.uniform(2, 6)), 3)
                for number, street in enumerate(STREETS, start=1):
                    homes = int(rng.integers(10, 80))
                    total = round(homes * mean * float(rng.uniform(0.5, 1.5)), 3)
                    repetition = "BIS" if rng.random() < 0.2 else None
                    street_kind = KINDS[int(rng.integers(len(KINDS)))]
                    parts = (str(number), repetition, street_kind, street)
                    rows.append(
                        {
                            "year": year, "address": " ".join(part for part in parts if part),
                            "street_number": str(number), "repetition": repetition, "street_kind": street_kind,
                            "street": street.replace(" ", "  ", 1), "iris_code": f"{code}0101", "iris": "Secteur 1",
                            "commune_code": code,
                            "commune": name, "epci_code": f"2000{code}", "department_code": department,
                            "region_code": region.code, "segment": "RESIDENTIEL", "homes": homes, "total_mwh": total,
                            "mean_mwh": round(total / homes, 3), "commune_mean_mwh": mean,
                        }
                    )  # fmt: skip
    return rows


def publish_address(truth: Rows, *, old_names: bool = False) -> Rows:
    """Rows of the address set; before its portal moved, three fields were spelt otherwise."""
    of = "l_adresse" if old_names else "ladresse"
    return [
        {
            "annee": row["year"], "code_iris": row["iris_code"], "nom_iris": row["iris"],
            "numero_de_voie": row["street_number"], "indice_de_repetition": row["repetition"],
            "type_de_voie": row["street_kind"], "libelle_de_voie": row["street"],
            "code_commune": row["commune_code"], "nom_commune": row["commune"], "segment_de_client": row["segment"],
            "nombre_de_logements": row["homes"], f"consommation_annuelle_totale_de_{of}_mwh": row["total_mwh"],
            f"consommation_annuelle_moyenne_par_site_de_{of}_mwh": row["mean_mwh"],
            "consommation_annuelle_moyenne_de_la_commune_mwh": row["commune_mean_mwh"],
            "code_epci": row["epci_code"], "code_departement": row["department_code"],
            "code_region": row["region_code"],
        }
        for row in truth
    ]  # fmt: skip


def energy_truth(seed: int, year: int) -> tuple[Rows, Rows]:
    """Metered energy of the country and of its regions in GWh: each rounded by itself, so they differ by a few."""
    rng = np.random.default_rng([seed, year, 4])
    exact: Rows = []
    for region in (*REGIONS, CORSE):
        terega = region.code in ("75", "76")
        power = COUNTRY_MWH / 1000 * region.share * float(rng.uniform(0.97, 1.03))
        gas = None if region is CORSE else power * float(rng.uniform(0.7, 1.0))
        exact.append(
            {"region_code": region.code, "region": region.name, "electricity": power, "gas": gas, "terega": terega}
        )
    regions = [
        _energy_row(year, row["region_code"], row["region"], row["electricity"], row["gas"], row["terega"])
        for row in exact
    ]
    country = _energy_row(
        year, None, None, sum(row["electricity"] for row in exact), sum(row["gas"] or 0 for row in exact), False
    )
    country["electricity_corrected_gwh"] = country["electricity_gwh"] + 8000.0
    return [country], regions


def _energy_row(
    year: int, code: str | None, name: str | None, power: float, gas: float | None, terega: bool
) -> dict[str, Any]:
    whole = None if gas is None else float(round(gas))
    return {
        "year": year, "region_code": code, "region": name, "electricity_gwh": float(round(power)),
        "electricity_corrected_gwh": None, "gas_grtgaz_gwh": None if terega else whole,
        "gas_terega_gwh": whole if terega else None, "gas_gwh": whole,
        "total_gwh": None if whole is None else float(round(power)) + whole,
        "electricity_status": "Définitif", "gas_status": "Définitif",
    }  # fmt: skip


def publish_energy(truth: Rows) -> Rows:
    """Rows of the yearly ODRÉ sets; keys of what a region does not have are left out (Corse: no gas)."""
    rows: Rows = []
    for row in truth:
        place = {"code_insee_region": row["region_code"], "region": row["region"]} if row["region_code"] else {}
        gas = {
            "consommation_brute_gaz_grtgaz": row["gas_grtgaz_gwh"],
            "consommation_brute_gaz_terega": row["gas_terega_gwh"],
            "consommation_brute_gaz_totale": row["gas_gwh"],
            "consommation_brute_totale": row["total_gwh"],
        }
        corrected = {} if place else {"consommation_corrigee_electricite_rte": row["electricity_corrected_gwh"]}
        rows.append(
            {
                "annee": str(row["year"]), **place, "statut_grtgaz": row["gas_status"], "statut_terega": None,
                "consommation_brute_electricite_rte": row["electricity_gwh"], **corrected,
                "statut_rte": row["electricity_status"], **({} if row["gas_gwh"] is None else gas),
            }
        )  # fmt: skip
    return rows


def vehicle_truth(seed: int, year: int) -> Rows:
    """Cars per commune at the four quarters' ends."""
    rows: Rows = []
    for region in (*REGIONS, CORSE):
        for department in DEPARTMENTS[region.code]:
            for code, _ in communes(department):
                rng = np.random.default_rng([seed, year, zlib.crc32(code.encode())])
                cars = int(rng.integers(500, 20_000))
                for quarter in ("03-31", "06-30", "09-30", "12-31"):
                    electric = int(cars * rng.uniform(0.02, 0.12))
                    rows.append({"codgeo": code, "date_arrete": f"{year}-{quarter}", "nb_vp": cars,
                                 "nb_vp_rechargeables_el": electric, "nb_vp_rechargeables_gaz": 0})  # fmt: skip
    return rows
