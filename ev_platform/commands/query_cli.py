"""`ev query …`: options only; the work is in query.py."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True, help="Questions to the lake in SQL, and its tables in Glue.")


@app.callback()
def query() -> None:
    """Questions to the lake in SQL (EV_QUERY_ENGINE: duckdb or athena), and its tables in Glue."""


@app.command()
def sql(
    text: Annotated[str, typer.Argument(help="one SELECT; ? for each value")],
    values: Annotated[list[str] | None, typer.Argument(help="values for the ?, in order")] = None,
    rows: Annotated[int, typer.Option(min=1, help="rows shown")] = 40,
) -> None:
    """Asks one SELECT, shows its rows, bytes scanned and seconds."""
    from ev_platform.commands.query import run_sql
    from ev_platform.settings import load_settings

    run_sql(load_settings(), text, values or [], rows)


@app.command()
def tables() -> None:
    """Tables that can be asked: name, partitions, columns."""
    from ev_platform.commands.query import list_tables

    list_tables()


@app.command()
def ddl(folder: Annotated[Path, typer.Argument(help="folder for one .sql file per table")]) -> None:
    """Writes the CREATE statements of all tables, as in docs/ddl."""
    from ev_platform.commands.query import write_ddl

    write_ddl(folder)


@app.command()
def sync() -> None:
    """Creates or updates the tables in AWS Glue, for Athena, with projected partitions."""
    from ev_platform.commands.query import run_sync
    from ev_platform.settings import load_settings

    run_sync(load_settings())
