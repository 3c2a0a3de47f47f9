"""Yearly consumption by address, commune, department, region and country → one table each, one row per published row.

Pure. Rules: codes are text; withheld (statistical secrecy) means that sites and total are both unknown, and then the
mean, which is published as 0.0, is unknown too; a row that has sites is never touched, a true zero stays zero.
"""

from __future__ import annotations

import polars as pl
import pyarrow as pa

from ev_platform.lake.schemas_energy import (
    ANNUAL_ADDRESS,
    ANNUAL_ENERGY,
    ANNUAL_PLACE,
    DEMOGRAPHY,
    VEHICLES_COMMUNE,
)

ENERGIES = {"Electricité": "electricity", "Électricité": "electricity", "Gaz": "gas"}
PLACE_KEY = ["place_code", "energy", "operator", "category", "sector", "naf2"]


def refine_place(frame: pl.DataFrame) -> pa.Table:
    """ANNUAL_PLACE of the commune or the department set."""
    by_commune = "code_commune" in frame.columns
    kind = "commune" if by_commune else "departement"
    withheld = pl.col("nb_sites").is_null() & pl.col("conso_totale_mwh").is_null()
    nothing = pl.lit(None, pl.String)
    hidden = pl.col("nombre_de_mailles_secretisees") if by_commune else pl.lit(None, pl.Float64)
    out = frame.select(
        pl.col("annee").str.slice(0, 4).cast(pl.Int16).alias("year"),
        pl.col("operateur").alias("operator"),
        pl.col("filiere").replace(ENERGIES).alias("energy"),
        pl.col(f"code_{kind}").alias("place_code"),
        pl.col(f"nom_{kind}").alias("place"),
        pl.col("code_departement").alias("department_code"),
        pl.col("code_region").alias("region_code"),
        pl.col("nom_region").alias("region"),
        (pl.col("code_epci") if by_commune else nothing).alias("epci_code"),
        pl.col("code_categorie_consommation").alias("category"),
        pl.col("code_grand_secteur").alias("sector"),
        pl.col("code_secteur_naf2").alias("naf2"),
        pl.col("nb_sites").round().cast(pl.Int64).alias("sites"),
        pl.col("conso_totale_mwh").alias("total_mwh"),
        pl.when(withheld).then(None).otherwise(pl.col("conso_moyenne_mwh")).alias("mean_mwh"),
        withheld.alias("withheld"),
        hidden.cast(pl.Int64).alias("hidden_cells"),
        *DEMOGRAPHY,
    )
    return _table(out.sort(PLACE_KEY, nulls_last=True, maintain_order=True), ANNUAL_PLACE)


def refine_address(frame: pl.DataFrame) -> pa.Table:
    """ANNUAL_ADDRESS: the address is what is known of it, joined by single spaces; nothing makes the whole null."""
    parts = ["numero_de_voie", "indice_de_repetition", "type_de_voie", "libelle_de_voie"]
    address = pl.concat_str(parts, separator=" ", ignore_nulls=True).str.replace_all(r"\s+", " ").str.strip_chars()
    out = frame.select(
        pl.col("annee").str.slice(0, 4).cast(pl.Int16).alias("year"),
        address.replace("", None).alias("address"),
        pl.col("numero_de_voie").alias("street_number"),
        pl.col("indice_de_repetition").alias("repetition"),
        pl.col("type_de_voie").alias("street_kind"),
        pl.col("libelle_de_voie").alias("street"),
        pl.col("code_iris").alias("iris_code"),
        pl.col("nom_iris").alias("iris"),
        pl.col("code_commune").alias("commune_code"),
        pl.col("nom_commune").alias("commune"),
        pl.col("code_epci").alias("epci_code"),
        pl.col("code_departement").alias("department_code"),
        pl.col("code_region").alias("region_code"),
        pl.col("segment_de_client").alias("segment"),
        pl.col("nombre_de_logements").round().cast(pl.Int64).alias("homes"),
        pl.col("consommation_annuelle_totale_de_ladresse_mwh").alias("total_mwh"),
        pl.col("consommation_annuelle_moyenne_par_site_de_ladresse_mwh").alias("mean_mwh"),
        pl.col("consommation_annuelle_moyenne_de_la_commune_mwh").alias("commune_mean_mwh"),
    )
    return _table(
        out.sort("commune_code", "address", "iris_code", nulls_last=True, maintain_order=True), ANNUAL_ADDRESS
    )


def refine_energy(frame: pl.DataFrame) -> pa.Table:
    """ANNUAL_ENERGY of the country or of its regions; GWh as published."""
    regional = "code_insee_region" in frame.columns
    nothing = pl.lit(None, pl.String)
    corrected = "consommation_corrigee_electricite_rte"
    out = frame.select(
        pl.col("annee").str.slice(0, 4).cast(pl.Int16).alias("year"),
        (pl.col("code_insee_region") if regional else nothing).alias("region_code"),
        (pl.col("region") if regional else nothing).alias("region"),
        pl.col("consommation_brute_electricite_rte").alias("electricity_gwh"),
        (pl.col(corrected) if corrected in frame.columns else pl.lit(None, pl.Float64)).alias(
            "electricity_corrected_gwh"
        ),
        pl.col("consommation_brute_gaz_grtgaz").alias("gas_grtgaz_gwh"),
        pl.col("consommation_brute_gaz_terega").alias("gas_terega_gwh"),
        pl.col("consommation_brute_gaz_totale").alias("gas_gwh"),
        pl.col("consommation_brute_totale").alias("total_gwh"),
        pl.col("statut_rte").alias("electricity_status"),
        pl.coalesce("statut_grtgaz", "statut_terega").alias("gas_status"),
    )
    return _table(out.sort("year", "region_code", nulls_last=True), ANNUAL_ENERGY)


def refine_vehicles(frame: pl.DataFrame) -> pa.Table:
    """VEHICLES_COMMUNE: cars and cars that can be charged, per commune and day of the count."""
    out = frame.select(
        pl.col("codgeo").alias("commune_code"),
        pl.col("date_arrete").str.slice(0, 10).str.to_date("%Y-%m-%d").alias("date"),
        pl.col("nb_vp").round().cast(pl.Int64).alias("cars"),
        pl.col("nb_vp_rechargeables_el").round().cast(pl.Int64).alias("electric_cars"),
        pl.col("nb_vp_rechargeables_gaz").round().cast(pl.Int64).alias("plug_in_gas_cars"),
    )
    return _table(out.sort("commune_code", "date", nulls_last=True), VEHICLES_COMMUNE)


def _table(frame: pl.DataFrame, schema: pa.Schema) -> pa.Table:
    return frame.select(schema.names).to_arrow().cast(schema)
