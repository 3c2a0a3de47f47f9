"""Checks of result tables: the same two for every table, computed in the step that made it.

Keys are unique and nothing required is missing; figures are plausible and in order (low ≤ value ≤ high). They do not
block: a wrong figure of one car must not hold back the others', it must be seen. After a run over a range of
partitions the failing ones stand in the metadata. See https://docs.dagster.io/guides/test/asset-checks.
"""

from collections.abc import Iterator, Mapping

import dagster as dg
import pyarrow as pa

from ev_platform.engine.results_rules import RULES, broken_keys, implausible

FINDERS = {"unique_keys": broken_keys, "plausible_values": implausible}
MEANING = {
    "unique_keys": "Every row has its key, no key stands twice.",
    "plausible_values": "Figures are possible, intervals are in order.",
}


def check_specs(key: dg.AssetKey, partitions: dg.PartitionsDefinition | None) -> list[dg.AssetCheckSpec]:
    """The checks of one result asset."""
    return [dg.AssetCheckSpec(n, asset=key, description=MEANING[n], partitions_def=partitions) for n in FINDERS]


def check_tables(key: dg.AssetKey, tables: Mapping[str, pa.Table]) -> Iterator[dg.AssetCheckResult]:
    """Results of both checks for the partitions of a run (one under "" for a table without partitions)."""
    rules = RULES[key.path[-1]]
    for name, find in FINDERS.items():
        failing = {partition: found for partition, table in tables.items() if (found := find(table, rules))}
        metadata = {
            "rows": sum(table.num_rows for table in tables.values()),
            "failing": dg.MetadataValue.json(sorted(failing)),
            "problems": dg.MetadataValue.json(failing),
        }
        yield dg.AssetCheckResult(
            asset_key=key, check_name=name, passed=not failing, severity=dg.AssetCheckSeverity.ERROR, metadata=metadata
        )
