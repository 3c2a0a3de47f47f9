"""The `ev` command: options and exit codes only. Each command imports what it needs, so that `ev --help` is quick.

Exit codes: 0 done, 1 failed, 2 wrong use.
"""

from __future__ import annotations

import sys
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from ev_platform.commands import (
    aws_cli,
    dead_letters_cli,
    lake_cli,
    market_cli,
    offsets_cli,
    providers_cli,
    query_cli,
    signals_cli,
    telematics_cli,
)
from ev_platform.errors import SettingError, UserError

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)
app.add_typer(aws_cli.app, name="aws")
app.add_typer(dead_letters_cli.app, name="dead-letters")
app.add_typer(lake_cli.app, name="lake")
app.add_typer(market_cli.app, name="market")
app.add_typer(offsets_cli.app, name="offsets")
app.add_typer(providers_cli.app, name="providers")
app.add_typer(query_cli.app, name="query")
app.add_typer(signals_cli.app, name="signals")
app.add_typer(telematics_cli.app, name="telematics")


@app.callback()
def ev() -> None:
    """EV fleet data platform: raw vehicle messages to battery health, as Dagster assets."""


@app.command()
def demo(
    vehicles: Annotated[int, typer.Option(min=4, help="simulated vehicles")] = 20,
    days: Annotated[int, typer.Option(min=1, max=28, help="simulated days")] = 7,
    side_domains: Annotated[
        bool, typer.Option(help="after the Kafka chain: polled providers, telematics, energy, market, joins")
    ] = True,
) -> None:
    """The main job, end to end and headless: simulated fleet → Kafka → raw → compressed → … → battery health."""
    from ev_platform.commands.demo import run_demo
    from ev_platform.settings import load_settings

    raise typer.Exit(run_demo(load_settings(), vehicles=vehicles, days=days, side_domains=side_domains))


@app.command()
def up() -> None:
    """The live stack on this machine: broker and simulated fleet (unless EV_KAFKA_BOOTSTRAP is set), UI, daemon."""
    from ev_platform.commands.up import run_up
    from ev_platform.settings import load_settings

    raise typer.Exit(run_up(load_settings()))


@app.command()
def simulate(
    first_day: Annotated[datetime, typer.Option("--from", formats=["%Y-%m-%d"], help="first simulated day (UTC)")],
    last_day: Annotated[
        datetime | None, typer.Option("--to", formats=["%Y-%m-%d"], help="last day; without it, never ends")
    ] = None,
    vehicles: Annotated[int, typer.Option(min=1)] = 24,
    seed: Annotated[int, typer.Option(help="same seed, same bytes")] = 1,
    real_time: Annotated[bool, typer.Option(help="at the pace of the clock, after catching up")] = False,
    faults: Annotated[bool, typer.Option(help="duplicates, late data, clock errors, …")] = True,
    truth: Annotated[Path | None, typer.Option(help="folder for the truth and the vehicle registry")] = None,
    payload: Annotated[str, typer.Option("--format", help="json (decoded records) or protobuf")] = "json",
) -> None:
    """Produces a simulated fleet's messages to the broker of EV_KAFKA_BOOTSTRAP, on a topic of its own."""
    from ev_platform.commands.simulate import run_simulate
    from ev_platform.settings import load_settings
    from ev_platform.simulate.scenario import Scenario

    if payload not in ("json", "protobuf"):
        raise SettingError(f"--format {payload}: write json or protobuf")
    binary = payload == "protobuf"
    scenario = Scenario(seed=seed, vehicles=vehicles, first_day=first_day.date(), faults=faults, protobuf=binary)
    run_simulate(load_settings(), scenario, last_day.date() if last_day else None, real_time=real_time, truth=truth)


@app.command()
def drain(
    every: Annotated[float, typer.Option(min=0, help="seconds between drains; 0: once")] = 0,
) -> None:
    """Drains Kafka into the lake's raw buffers, up to the high watermarks: once, or again and again until stopped."""
    from ev_platform.commands.drain import run_drain
    from ev_platform.settings import load_settings

    run_drain(load_settings(), every)


@app.command("import")
def import_(
    files: Annotated[list[Path], typer.Argument(help="CSV (also .gz) or Parquet files")],
    mapping: Annotated[str, typer.Option(help="a TOML file, or the name of a ready mapping (docs/import.md)")],
    vin: Annotated[str, typer.Option(help="the one vehicle of these files, where they name none")] = "",
    zone: Annotated[str, typer.Option(help="time zone of times without offset, for example Europe/Paris")] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="read and count, write nothing")] = False,
) -> None:
    """Brings files of history into the raw zone, each row once; then `ev run` over their days."""
    from ev_platform.commands.import_files import run_import
    from ev_platform.settings import load_settings

    raise typer.Exit(run_import(load_settings(), files, mapping, vin=vin, zone=zone, dry_run=dry_run))


@app.command()
def replay(
    file: Annotated[Path, typer.Argument(help="CSV of readings (also .gz)")],
    rate: Annotated[float, typer.Option(min=0, help="messages a second; 0: as fast as possible")] = 1.0,
    speed: Annotated[
        float, typer.Option(min=0, help="instead of a rate: the file's spacing, so many times faster")
    ] = 0,
    duplicates: Annotated[float, typer.Option(min=0, max=1, help="share of messages sent twice")] = 0,
    disorder: Annotated[float, typer.Option(min=0, max=1, help="share of messages that come late")] = 0,
    rebase: Annotated[bool, typer.Option("--rebase", help="shift the file's times so that it begins now")] = False,
    limit: Annotated[int, typer.Option(min=0, help="rows played; 0: all")] = 0,
    loop: Annotated[bool, typer.Option("--loop", help="again and again until stopped")] = False,
    seed: Annotated[int, typer.Option(help="of duplicates and disorder")] = 1,
    topic: Annotated[str, typer.Option(help="instead of EV_TELEMATICS_TOPIC")] = "",
) -> None:
    """Plays a file of telematics readings into their topic, at a rate or with its own spacing."""
    from ev_platform.commands.telematics_live import run_replay
    from ev_platform.settings import load_settings
    from ev_platform.simulate.replay import Pace

    pace = Pace(rate, speed, duplicates, disorder, rebase, limit, loop, seed)
    raise typer.Exit(run_replay(load_settings(), file, pace, topic))


@app.command()
def ingest() -> None:
    """The long-running consumer: joins the group, writes raw buffers, commits what is durable; SIGTERM ends it."""
    from ev_platform.commands.ingest import run_ingest
    from ev_platform.settings import load_settings

    run_ingest(load_settings())


@app.command()
def run(
    first: Annotated[datetime, typer.Option("--from", formats=["%Y-%m-%d"], help="first day (UTC)")],
    last: Annotated[datetime, typer.Option("--to", formats=["%Y-%m-%d"], help="last day (UTC)")],
    only_missing: Annotated[bool, typer.Option("--only-missing", help="leave out days that are made already")] = False,
) -> None:
    """Materializes those days, compressed to results, in runs of at most 30 days, and the health of their months."""
    from ev_platform.commands.run import run_days
    from ev_platform.settings import load_settings

    raise typer.Exit(run_days(load_settings(), first.date(), last.date(), only_missing=only_missing))


@app.command()
def txid(
    first: Annotated[datetime, typer.Option("--from", formats=["%Y-%m-%d"], help="first event day (UTC)")],
    last: Annotated[datetime, typer.Option("--to", formats=["%Y-%m-%d"], help="last event day (UTC)")],
    vin: Annotated[str | None, typer.Option(help="only this vehicle")] = None,
    limit: Annotated[int, typer.Option(min=1, help="most holes shown")] = 20,
) -> None:
    """Records that vehicles have sent and nobody received, by the numbering of their connections (compressed days)."""
    from ev_platform.commands.txid import run_txid
    from ev_platform.lake.layout import valid_vin
    from ev_platform.settings import load_settings

    if last < first:
        raise UserError(f"--to {last.date()} is before --from {first.date()}")
    if vin is not None and not valid_vin(vin):
        raise UserError(f"--vin {vin}: not a VIN (17 capital letters and digits without I, O, Q)")
    run_txid(load_settings(), first.date(), last.date(), vin, limit)


@app.command()
def doctor(
    audit: Annotated[bool, typer.Option("--audit", help="count every message of the whole lake, too")] = False,
) -> None:
    """Configuration, reachability, permissions and lag, one line each; exit 1 if something is wrong."""
    from ev_platform.commands.doctor import run_doctor
    from ev_platform.settings import load_settings

    raise typer.Exit(run_doctor(load_settings(), whole_lake=audit))


@app.command()
def explain(
    vin: Annotated[str, typer.Argument(help="vehicle")],
    at: Annotated[str, typer.Option("--at", help="time, UTC unless it names an offset: 2026-11-03T07:12:30")],
    around: Annotated[float, typer.Option(min=0, help="seconds before and after it")] = 60,
) -> None:
    """Why the data say what they say: raw value, cleaned value, rule, and the segment that holds the time."""
    from ev_platform.commands.explain import run_explain
    from ev_platform.settings import load_settings

    run_explain(load_settings(), vin, at, around)


@app.command()
def report(
    vin: Annotated[str, typer.Argument(help="vehicle")],
    out: Annotated[str, typer.Option(help="folder to write to")] = ".",
) -> None:
    """The battery report of one vehicle, HTML and PDF: health and its uncertainty, evidence, peers, verification id."""
    from ev_platform.commands.report import run_report
    from ev_platform.settings import load_settings

    run_report(load_settings(), vin, out)


@app.command()
def dashboard(
    address: Annotated[str, typer.Option(help="address to listen on")] = "127.0.0.1",
) -> None:
    """The pages that people look at, on EV_DASHBOARD_PORT; needs the extra `dashboard`."""
    from ev_platform.commands.dashboard import run_dashboard
    from ev_platform.settings import load_settings

    run_dashboard(load_settings(), address)


def main() -> None:
    """Entry point: an error that a user can cause is one line on stderr, never a traceback."""
    try:
        app()
    except SettingError as error:
        print(f"ev: {error}", file=sys.stderr)
        raise SystemExit(2) from None
    except UserError as error:
        from ev_platform.settings import load_settings

        print(f"ev: {load_settings().masked(str(error))}", file=sys.stderr)
        raise SystemExit(1) from None


if __name__ == "__main__":
    main()
