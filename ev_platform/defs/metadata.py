"""What an asset shows of itself in the Dagster UI: rows, schema, a small table or picture, receipts as figures."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import dagster as dg
import pyarrow as pa

PREVIEW_ROWS = 5
PREVIEW_COLUMNS = 10
PLOT_BARS = 12
PLOT = "ev_platform/plot"


def table_schema(schema: pa.Schema) -> dg.TableSchema:
    """Dagster's column schema of an Arrow schema, with unit and meaning of each column."""
    columns = []
    for field in schema:
        notes = {k.decode(): v.decode() for k, v in (field.metadata or {}).items()}
        text = ", ".join(part for part in (notes.get("unit", ""), notes.get("description", "")) if part)
        columns.append(dg.TableColumn(field.name, str(field.type), description=text or None))
    return dg.TableSchema(columns)


def table_metadata(table: pa.Table, uri: str) -> dict[str, Any]:
    """Row count, location and the first rows of a table."""
    return {
        "dagster/partition_row_count": table.num_rows,
        "dagster/uri": uri,
        "preview": dg.MetadataValue.md(markdown_table(table)),
    }


def plot_metadata(table: pa.Table, definition: Mapping[str, Any]) -> dict[str, Any]:
    """A small picture of a table, where its asset's metadata names one (`plot_of`); nothing for an empty table."""
    asked = definition.get(PLOT)
    if asked is None or not table.num_rows:
        return {}
    label, value, how = getattr(asked, "data", asked)  # Dagster wraps it on its way
    return {"plot": dg.MetadataValue.md(bars(table, label, value, how))}


def plot_of(label: str, value: str, how: str = "mean") -> dict[str, Any]:
    """Metadata of an asset: bars of `value` per `label`; `how`: mean, sum, max or count (of rows)."""
    return {PLOT: [label, value, how]}


def bars(table: pa.Table, label: str, value: str, how: str) -> str:
    """The largest groups of a table as a Markdown table with a bar each; null labels are left out."""
    grouped = table.select(list(dict.fromkeys([label, value]))).group_by(label).aggregate([(value, how)])
    rows = zip(grouped[label].to_pylist(), grouped[f"{value}_{how}"].to_pylist(), strict=True)
    known = sorted(((n or 0.0, str(name)) for name, n in rows if name is not None), key=lambda row: (-row[0], row[1]))
    title = f"{how} of {value} per {label}" if how != "count" else f"rows per {label}"
    return f"{title}\n\n{mapping_table({name: n for n, name in known[:PLOT_BARS]})}"


def markdown_table(table: pa.Table) -> str:
    """The first rows and columns as a Markdown table."""
    head = table.slice(0, PREVIEW_ROWS).select(table.column_names[:PREVIEW_COLUMNS])
    lines = ["| " + " | ".join(head.column_names) + " |", "|" + " --- |" * head.num_columns]
    lines += ["| " + " | ".join(_cell(value) for value in row.values()) + " |" for row in head.to_pylist()]
    return "\n".join(lines)


def receipt_metadata(receipt: object) -> dict[str, Any]:
    """A receipt (a dataclass of figures and small mappings) as metadata; a mapping becomes a table with bars."""
    assert dataclasses.is_dataclass(receipt)
    numbers = {f.name: getattr(receipt, f.name) for f in dataclasses.fields(receipt) if f.type in ("int", int)}
    shown: dict[str, Any] = {"figures": dg.MetadataValue.md(mapping_table(numbers))} if numbers else {}
    for field in dataclasses.fields(receipt):
        value = getattr(receipt, field.name)
        whole = field.name == "rows" and getattr(receipt, "covers_day", True)
        name = "dagster/partition_row_count" if whole else field.name
        if isinstance(value, Mapping):
            if value:
                shown[name] = dg.MetadataValue.md(mapping_table(value))
        elif isinstance(value, bool | int | float | str):
            shown[name] = value
        elif isinstance(value, Sequence):
            shown[name] = dg.MetadataValue.json([str(part) for part in value])
    return shown


def mapping_table(counts: Mapping[Any, Any]) -> str:
    """Counts as a Markdown table with a bar each."""
    numbers = {str(k): float(v) for k, v in counts.items() if isinstance(v, int | float)}
    top = max(numbers.values(), default=0) or 1
    rows = [f"| {name} | {value:g} | {'█' * round(20 * value / top)} |" for name, value in numbers.items()]
    return "\n".join(["| what | n | |", "| --- | ---: | --- |", *rows])


def _cell(value: object) -> str:
    text = f"{value:.4g}" if isinstance(value, float) else str("" if value is None else value)
    return text.replace("|", "\\|")[:40]
