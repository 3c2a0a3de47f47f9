"""`ev aws …`: what a deployment on Amazon needs, made from the code's own tables."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from ev_platform.errors import UserError
from ev_platform.lake.access import ROLES, Place, policy

app = typer.Typer(no_args_is_help=True, help="IAM policies and Glue tables of a deployment on AWS.")


@app.callback()
def aws() -> None:
    """IAM policies and Glue tables of a deployment on AWS."""


@app.command(name="policy")
def print_policy(
    role: Annotated[str, typer.Argument(help=", ".join(ROLES))],
    bucket: Annotated[str, typer.Option(help="empty: the one of EV_LAKE_URL")] = "",
    prefix: Annotated[str, typer.Option(help="folder of the lake in it")] = "",
    region: Annotated[str, typer.Option(help="of the secrets, Glue and Athena")] = "*",
    account: Annotated[str, typer.Option(help="12 digits")] = "*",
) -> None:
    """Prints the least-privilege IAM policy of a role, from the list of the lake's folders and the settings."""
    from ev_platform.settings import load_settings

    if role not in ROLES:
        raise typer.BadParameter(f"{role} is no role: {', '.join(ROLES)}")
    settings = load_settings()
    if not bucket:
        bucket, _, prefix = _after_scheme(settings.lake).partition("/")
    if not bucket:
        raise UserError("say --bucket, or set EV_LAKE_URL=s3://bucket/prefix")
    place = Place(
        bucket, prefix, region, account,
        database=settings.athena_database, workgroup=settings.athena_workgroup,
        staging=_after_scheme(settings.athena_staging_url), topic_arn=settings.sns_topic_arn,
    )  # fmt: skip
    typer.echo(json.dumps(policy(role, place), indent=2))


@app.command()
def glue() -> None:
    """Creates or updates the tables in AWS Glue (the same as `ev query sync`)."""
    from ev_platform.commands.query import run_sync
    from ev_platform.settings import load_settings

    run_sync(load_settings())


def _after_scheme(url: str) -> str:
    return url.removeprefix("s3://").strip("/") if url.startswith("s3://") else ""
