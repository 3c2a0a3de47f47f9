"""The warehouse: the same tables and keys in DuckDB and in a real PostgreSQL, whatever was loaded before."""

from datetime import date

import duckdb
import polars as pl
import psycopg2
import pyarrow as pa
import pytest

from ev_platform.energy import tasks, warehouse
from ev_platform.energy.warehouse import TABLES, lake_parts, open_warehouse
from ev_platform.errors import SettingError, UserError
from ev_platform.lake.tables import to_parquet
from ev_platform_tests.energy.worlds import YEAR, place, small_world
from ev_platform_tests.postgres_server import postgres

DAYS = (date(2026, 3, 29), date(2026, 10, 25))


@pytest.fixture(scope="module")
def filled(tmp_path_factory):
    """A lake with every table of the warehouse."""
    with place(tmp_path_factory.mktemp("warehouse"), small_world(days=DAYS)) as found:
        for table in ("annual_address", "annual_commune", "annual_department", "annual_region", "annual_national"):
            found.annual(table)
        found.write("consumption_total_mean", str(YEAR), tasks.total_mean_table(found.store, str(YEAR)))
        for table in tasks.GRID:
            found.grid(table, DAYS)
        for month in ("2026-03", "2026-10"):
            write_star(found, month)
        yield found


def write_star(found, month):
    for name in tasks.STAR:
        found.write(name, month, tasks.star_table(found.store, name, month))


@pytest.fixture(scope="module")
def server():
    with postgres() as url:
        yield url


class Duck:
    def __init__(self, place, server, monkeypatch):
        self.settings = place.settings

    def ask(self, sql):
        with duckdb.connect(str(self.settings.state_dir / "warehouse.duckdb"), read_only=True) as db:
            return db.execute(sql).fetchall()


class Postgres:
    def __init__(self, place, server, monkeypatch):
        self.url = server
        self.settings = place.settings.with_changes(warehouse=server)
        with psycopg2.connect(server) as db, db.cursor() as cursor:
            cursor.execute("DROP SCHEMA IF EXISTS energy CASCADE")

    def ask(self, sql):
        with psycopg2.connect(self.url) as db, db.cursor() as cursor:
            cursor.execute("SET timezone TO 'UTC'")
            cursor.execute(sql)
            return cursor.fetchall()


KINDS = {"duckdb": Duck, "postgresql": Postgres}


@pytest.fixture(params=sorted(KINDS))
def base(request, filled, monkeypatch):
    server = request.getfixturevalue("server") if request.param == "postgresql" else None
    return KINDS[request.param](filled, server, monkeypatch)


def load(base, place):
    return open_warehouse(base.settings).load(lake_parts(place.store))


def test_every_row_of_the_lake_is_there(base, filled):
    receipt = load(base, filled)
    expected = {table.name: 0 for table in TABLES}
    for part in lake_parts(filled.store):
        expected[part.table.name] += part.rows.num_rows
    expected["region"] = 12
    assert receipt.rows_per_table == expected
    assert expected["consumption"] == 2 * 48 * 12
    assert base.ask("SELECT count(*), count(DISTINCT id_consommation) FROM energy.consumption") == [(1152, 1152)]


def test_values_and_nulls_are_those_of_the_lake(base, filled):
    load(base, filled)
    for table in ("consumption", "annual_energy", "consumption_total_mean"):
        spec = next(spec for spec in TABLES if spec.name == table)
        names = ", ".join(f'"{name}"' for name in spec.schema.names if name not in ("date_heure", "date_enreg"))
        order = ", ".join(f'"{name}"' for name in spec.key)
        rows = pl.concat([pl.from_arrow(p.rows) for p in lake_parts(filled.store) if p.table is spec])
        ours = rows.select([n for n in spec.schema.names if n not in ("date_heure", "date_enreg")]).rows()
        found = base.ask(f"SELECT {names} FROM energy.{table} ORDER BY {order}")
        assert sorted(map(repr, found)) == sorted(map(repr, ours))


def test_star_joins_by_its_keys(base, filled):
    load(base, filled)
    joined = base.ask(
        "SELECT r.libelle_region, count(*) FROM energy.consumption c JOIN energy.region r"
        " ON c.code_insee_1 = r.code_insee_region JOIN energy.coverage_rate t"
        " ON t.id_couverture = c.id_consommation GROUP BY 1 ORDER BY 1"
    )
    assert len(joined) == 12
    assert {n for _, n in joined} == {96}
    shares = base.ask(
        "SELECT max(abs(pct_thermique + pct_nucleaire + pct_eolien + pct_solaire + pct_hydraulique + pct_bioenergies"
        " - 100)), max(pct_pompage) FROM energy.consumption"
    )
    assert shares[0][0] < 1e-9
    assert shares[0][1] <= 0


def test_keys_are_real(base, filled):
    load(base, filled)
    writer = (
        psycopg2.connect(base.url)
        if isinstance(base, Postgres)
        else duckdb.connect(str(base.settings.state_dir / "warehouse.duckdb"))
    )
    run = writer.cursor().execute if isinstance(base, Postgres) else writer.execute
    more = (", lake_partition", ", 'x'") if isinstance(base, Postgres) else ("", "")
    sql = f"INSERT INTO energy.consumption (id_consommation, code_insee_1{more[0]}) VALUES ('new', '99'{more[1]})"
    try:
        with pytest.raises((psycopg2.IntegrityError, duckdb.ConstraintException)):
            run(sql)
    finally:
        writer.close()


def everything(base):
    orders = {table.name: "1" if table.name == "region" else "1, 2, 3, 4, 5" for table in TABLES}
    return {name: base.ask(f"SELECT * FROM energy.{name} ORDER BY {order}") for name, order in orders.items()}


def test_a_second_load_changes_nothing(base, filled):
    first = load(base, filled)
    before = everything(base)
    second = load(base, filled)
    assert second.rows_per_table == first.rows_per_table
    assert everything(base) == before
    if isinstance(base, Postgres):
        assert (second.partitions_loaded, second.rows_deleted) == (0, 0)


def test_a_partition_made_again_is_replaced_and_lost_rows_go(base, filled):
    load(base, filled)
    key = "energy/consumption/month=2026-10/part-0000.parquet"
    before = filled.store.get(key)
    frame = pl.from_arrow(tasks.star_table(filled.store, "consumption", "2026-10"))
    changed = frame.head(100).with_columns(pl.lit(1.5).alias("consommation"))
    try:
        filled.store.put(key, to_parquet(changed.to_arrow().cast(tasks.SCHEMAS["consumption"])))
        receipt = load(base, filled)
        assert receipt.rows_per_table["consumption"] == 576 + 100
        assert base.ask("SELECT count(*) FROM energy.consumption WHERE consommation = 1.5") == [(100,)]
        if isinstance(base, Postgres):
            assert (receipt.partitions_loaded, receipt.rows_deleted) == (1, 476)
        filled.store.delete([key])
        assert load(base, filled).rows_per_table["consumption"] == 576
    finally:
        filled.store.put(key, before)


def test_a_load_that_fails_leaves_the_tables_as_they_were(base, filled):
    first = load(base, filled)

    def broken():
        parts = list(lake_parts(filled.store))
        bad = next(part for part in parts if part.table.name == "coverage_rate")
        rows = bad.rows.set_column(
            bad.rows.column_names.index("code_insee_1"), "code_insee_1", pa.array(["99"] * bad.rows.num_rows)
        )
        yield from (part._replace(rows=rows, digest="other") if part is bad else part for part in parts)

    with pytest.raises((psycopg2.IntegrityError, duckdb.ConstraintException)):
        open_warehouse(base.settings).load(broken())
    counts = {table.name: base.ask(f"SELECT count(*) FROM energy.{table.name}")[0][0] for table in TABLES}
    assert counts == first.rows_per_table


def test_a_column_that_is_new_is_added_to_an_old_postgres(filled, server, monkeypatch):
    base = Postgres(filled, server, monkeypatch)
    load(base, filled)
    with psycopg2.connect(server) as db, db.cursor() as cursor:
        cursor.execute("ALTER TABLE energy.grid_mix_national DROP COLUMN co2_g_per_kwh")
        cursor.execute("DELETE FROM energy.loaded WHERE table_name = 'grid_mix_national'")
    load(base, filled)
    assert base.ask("SELECT count(co2_g_per_kwh) FROM energy.grid_mix_national")[0][0] > 0


def test_a_reader_of_the_file_keeps_what_it_opened(filled):
    settings = filled.settings
    open_warehouse(settings).load(lake_parts(filled.store))
    with duckdb.connect(str(settings.state_dir / "warehouse.duckdb"), read_only=True) as reader:
        open_warehouse(settings).load(lake_parts(filled.store))
        assert reader.execute("SELECT count(*) FROM energy.region").fetchall() == [(12,)]
    assert [path.name for path in settings.state_dir.glob("warehouse*")] == ["warehouse.duckdb"]


def test_what_cannot_be_used_is_one_line_without_the_password(filled):
    with pytest.raises(SettingError, match="EV_WAREHOUSE"):
        open_warehouse(filled.settings.with_changes(warehouse="mysql://me:hidden@host/x"))
    away = filled.settings.with_changes(warehouse="postgresql://me:hidden@127.0.0.1:1/x")
    with pytest.raises(UserError, match="does not answer") as caught:
        open_warehouse(away).load(iter(()))
    assert "hidden" not in str(caught.value)
    assert "hidden" not in repr(away)
    with pytest.raises(UserError, match="does not answer"):
        open_warehouse(away).probe()


def test_foreign_keys_find_their_row_in_the_order_of_the_tables():
    names = [table.name for table in warehouse.TABLES]
    for table in warehouse.TABLES:
        for link in table.foreign:
            assert names.index(link.table) < names.index(table.name)
