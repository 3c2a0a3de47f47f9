"""The report of a vehicle from the lake's tables as they are now.

Belongs here: which objects are read. Not here: what is said (content.py), layout (html.py, pdf.py), files (commands/).
"""

from __future__ import annotations

import pyarrow as pa
import pyarrow.parquet as pq

from ev_platform.errors import UserError
from ev_platform.lake.store import ObjectStore
from ev_platform.report.content import TABLES, NoReportError, Report, build


def report_of(store: ObjectStore, vin: str) -> Report:
    """The report from the lake's tables as they are now.

    Raises:
        UserError: nothing is known of the vehicle.
    """
    try:
        return build(vin, {name: vehicle_rows(store, name, vin) for name in TABLES})
    except NoReportError as error:
        raise UserError(str(error)) from None


def vehicle_rows(store: ObjectStore, table: str, vin: str) -> pa.Table:
    """All rows of one vehicle in a table, whatever its partitions; an empty table when there are none."""
    found = [
        pq.read_table(pa.BufferReader(data), filters=[("vin", "=", vin)], use_threads=False)
        for _, data in store.get_many([key for key in store.keys(table) if key.endswith(".parquet")])
        if data is not None
    ]
    return pa.concat_tables(found) if found else pa.table({"vin": pa.array([], pa.string())})
