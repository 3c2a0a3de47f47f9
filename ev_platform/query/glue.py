"""The lake's tables in AWS Glue, for Athena: made from the schemas the files are written with, partitions projected.

Projected partitions need no crawler, no MSCK REPAIR and no ALTER TABLE: Athena computes the folders from the query. The
same description gives the API's table and the DDL text, so the files in docs/ddl are what is created.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import boto3
import pyarrow as pa
from botocore.exceptions import BotoCoreError, ClientError

from ev_platform.errors import UserError
from ev_platform.query.catalogue import Filing, TableSpec, tables
from ev_platform.settings import Settings

LAKE_PLACEHOLDER = "s3://YOUR-BUCKET/PREFIX"
PARQUET_INPUT = "org.apache.hadoop.hive.ql.io.parquet.MapredParquetInputFormat"
PARQUET_OUTPUT = "org.apache.hadoop.hive.ql.io.parquet.MapredParquetOutputFormat"
PARQUET_SERDE = "org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe"

SIMPLE = {
    "string": "string",
    "large_string": "string",
    "bool": "boolean",
    "int8": "tinyint",
    "int16": "smallint",
    "int32": "int",
    "int64": "bigint",
    "float": "float",
    "double": "double",
    "date32[day]": "date",
}
"""Arrow types as Athena writes them."""


def athena_type(kind: pa.DataType) -> str:
    """Athena's name of an Arrow type.

    Raises:
        ValueError: Athena has none.
    """
    if pa.types.is_timestamp(kind):
        return "timestamp"
    if pa.types.is_list(kind):
        return f"array<{athena_type(kind.value_type)}>"
    if str(kind) not in SIMPLE:
        raise ValueError(f"Athena has no type for {kind}")
    return SIMPLE[str(kind)]


def projection(table: TableSpec, lake_url: str, first_day: str) -> dict[str, str]:
    """Table properties that let Athena compute the partitions; {} for a table without any."""
    names = [name for name, *_ in table.partitions]
    if not names:
        return {}
    day = {
        "type": "date",
        "format": "yyyy-MM-dd",
        "range": f"{first_day},NOW",
        "interval": "1",
        "interval.unit": "DAYS",
    }
    month = {**day, "format": "yyyy-MM", "range": f"{first_day[:7]},NOW", "interval.unit": "MONTHS"}
    year = {"type": "integer", "range": "1990,2060"}
    of: dict[Filing, list[dict[str, str]]] = {
        Filing.DAY: [day],
        Filing.DAY_PATH: [{**day, "format": "yyyy/MM/dd", "range": f"{first_day.replace('-', '/')},NOW"}],
        Filing.MONTH: [month],
        Filing.YEAR: [year],
        Filing.YEAR_MONTH: [year, {"type": "integer", "range": "1,12", "digits": "2"}],
    }
    folders = [name.removeprefix("file_") for name in names]
    template = [
        f"${{{n}}}" if table.filing is Filing.DAY_PATH else f"{f}=${{{n}}}" for n, f in zip(names, folders, strict=True)
    ]
    properties = {
        "projection.enabled": "true",
        "storage.location.template": f"{lake_url}/{table.folder}/{'/'.join(template)}/",
    }
    for name, rule in zip(names, of[table.filing], strict=True):
        properties |= {f"projection.{name}.{key}": value for key, value in rule.items()}
    return properties


def table_input(table: TableSpec, lake_url: str, first_day: str) -> dict[str, Any]:
    """The table as Glue's API takes it."""
    return {
        "Name": table.name,
        "TableType": "EXTERNAL_TABLE",
        "Parameters": {"classification": "parquet", **projection(table, lake_url, first_day)},
        "PartitionKeys": [{"Name": name, "Type": athena_type(kind)} for name, kind, _ in table.partitions],
        "StorageDescriptor": {
            "Columns": [
                {"Name": field.name, "Type": athena_type(field.type), "Comment": _comment(field)}
                for field in table.schema
            ],
            "Location": f"{lake_url}/{table.folder}/",
            "InputFormat": PARQUET_INPUT,
            "OutputFormat": PARQUET_OUTPUT,
            "SerdeInfo": {"SerializationLibrary": PARQUET_SERDE},
        },
    }


def ddl(table: TableSpec, lake_url: str = LAKE_PLACEHOLDER, first_day: str = "2010-01-01") -> str:
    """The same table as a CREATE statement."""
    described = table_input(table, lake_url, first_day)
    columns = [
        f"  `{c['Name']}` {c['Type']} COMMENT {_quoted(c['Comment'])}"
        for c in described["StorageDescriptor"]["Columns"]
    ]
    partitions = [f"  `{key['Name']}` {key['Type']}" for key in described["PartitionKeys"]]
    properties = [f"  {_quoted(name)} = {_quoted(value)}" for name, value in sorted(described["Parameters"].items())]
    lines = [f"CREATE EXTERNAL TABLE IF NOT EXISTS `{table.name}` (", ",\n".join(columns), ")"]
    if partitions:
        lines += ["PARTITIONED BY (", ",\n".join(partitions), ")"]
    location = described["StorageDescriptor"]["Location"]
    lines += ["STORED AS PARQUET", f"LOCATION {_quoted(location)}", "TBLPROPERTIES (", ",\n".join(properties), ");"]
    return "\n".join(lines) + "\n"


def ddl_files() -> Iterator[tuple[str, str]]:
    """Name and text of each file of docs/ddl."""
    for table in tables():
        yield f"{table.name}.sql", ddl(table)


def sync(settings: Settings, wanted: Iterable[TableSpec] | None = None) -> dict[str, str]:
    """Create or update the tables in Glue; table → created | updated | unchanged. Tables of others are left alone.

    Raises:
        UserError: the lake is not on S3, or Glue refuses; the message says why.
    """
    if not settings.lake.startswith("s3://"):
        raise UserError("Athena reads S3 only: set EV_LAKE_URL=s3://bucket/prefix")
    glue = boto3.client("glue", region_name=settings.athena_region or None)
    done: dict[str, str] = {}
    try:
        _ensure_database(glue, settings.athena_database)
        for table in wanted or tables():
            described = table_input(table, settings.lake.rstrip("/"), settings.start_day.isoformat())
            done[table.name] = _put(glue, settings.athena_database, described)
    except (BotoCoreError, ClientError) as error:
        raise UserError(f"Glue: {str(error).splitlines()[0]}") from None
    return done


def _ensure_database(glue: Any, name: str) -> None:  # noqa: ANN401 - a client of boto3
    try:
        glue.get_database(Name=name)
    except glue.exceptions.EntityNotFoundException:
        glue.create_database(DatabaseInput={"Name": name, "Description": "ev_platform: tables of the lake"})


def _put(glue: Any, database: str, described: dict[str, Any]) -> str:  # noqa: ANN401 - a client of boto3
    try:
        present = glue.get_table(DatabaseName=database, Name=described["Name"])["Table"]
    except glue.exceptions.EntityNotFoundException:
        glue.create_table(DatabaseName=database, TableInput=described)
        return "created"
    same = all(present.get(name) == value for name, value in described.items() if name != "StorageDescriptor")
    storage = {name: present.get("StorageDescriptor", {}).get(name) for name in described["StorageDescriptor"]}
    if same and storage == described["StorageDescriptor"]:
        return "unchanged"
    glue.update_table(DatabaseName=database, TableInput=described)
    return "updated"


def _comment(field: pa.Field) -> str:
    notes = {key.decode(): value.decode() for key, value in (field.metadata or {}).items()}
    text = ", ".join(part for part in (notes.get("description", ""), notes.get("unit", "")) if part)
    return text.encode("ascii", "replace").decode()[:255]


def _quoted(text: str) -> str:
    """A text in Athena's DDL, which is Hive's: a backslash before a quote, not two quotes."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
