"""Amazon Athena through PyAthena: the same question, values as execution parameters, bytes as billed."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from time import perf_counter
from typing import Any

import pyarrow as pa
from pyathena import connect
from pyathena.error import Error

from ev_platform.errors import UserError
from ev_platform.query.engine import Answer, QueryError, Value, checked
from ev_platform.query.literals import literal
from ev_platform.settings import Settings

ARROW: dict[str, pa.DataType] = {
    "boolean": pa.bool_(),
    "tinyint": pa.int8(),
    "smallint": pa.int16(),
    "integer": pa.int32(),
    "bigint": pa.int64(),
    "float": pa.float32(),
    "double": pa.float64(),
    "varchar": pa.string(),
    "char": pa.string(),
    "date": pa.date32(),
    "timestamp": pa.timestamp("us", tz="UTC"),
}
"""Athena's types as Arrow's; what is not here (rows, maps, decimals) is inferred from the values."""


class AthenaEngine:
    """See the module. Credentials are those of the AWS environment."""

    name = "athena"

    def __init__(self, settings: Settings) -> None:
        if not settings.athena_staging_url.startswith("s3://"):
            raise UserError("Athena needs a place for its results: set EV_ATHENA_STAGING_URL=s3://bucket/folder/")
        self._settings = settings

    def query(self, sql: str, parameters: Sequence[Value] = (), *, literals: bool = False) -> Answer:
        """See `QueryEngine.query`."""
        text = checked(sql, parameters, literals=literals)
        values = [literal(value) for value in parameters]
        begin = perf_counter()
        settings = self._settings
        options: dict[str, Any] = {"endpoint_url": settings.aws_endpoint_url} if settings.aws_endpoint_url else {}
        try:
            with connect(
                s3_staging_dir=settings.athena_staging_url,
                schema_name=settings.athena_database,
                work_group=settings.athena_workgroup,
                region_name=settings.athena_region or None,
                **options,
            ) as connection:
                cursor = connection.cursor()
                cursor.execute(text, values or None, paramstyle="qmark")
                rows = cursor.fetchall()
                table = _table(cursor.description or [], rows)
                scanned = int(cursor.data_scanned_in_bytes or 0)
        except Error as error:
            raise QueryError(f"Athena: {str(error).splitlines()[0]}") from None
        return Answer(table, scanned, perf_counter() - begin, self.name)


def _table(description: Sequence[Any], rows: Sequence[Sequence[Any]]) -> pa.Table:
    names = [column[0] for column in description]
    kinds = [ARROW.get(str(column[1])) for column in description]
    columns = list(zip(*rows, strict=True)) if rows else [()] * len(names)
    arrays = [
        pa.array([_value(value, kind) for value in column], type=kind if kind is not None or rows else pa.null())
        for column, kind in zip(columns, kinds, strict=True)
    ]
    return pa.table(dict(zip(names, arrays, strict=True)))


def _value(value: object, kind: pa.DataType | None) -> object:
    """A value as Arrow takes it: decimals as floats where a float is wanted, times as UTC."""
    if isinstance(value, Decimal) and kind is not None:
        return float(value)
    if isinstance(value, datetime) and value.tzinfo is None and kind is not None:
        return value.replace(tzinfo=UTC)
    return value
