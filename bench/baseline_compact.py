"""The plain design that compaction is compared with: json.loads, a dict per row, pandas, one Parquet file per vehicle.

Same input, same long table (columns, rows, order), no proof that numbers keep their spelling, no quarantine.
"""

from __future__ import annotations

import io
import json
from collections.abc import Sequence

import pandas as pd

STRUCTS = ("locationValue", "doorValue", "tireLocationValue", "timeValue")


def compact(buffers: Sequence[tuple[str, bytes]], vin: str) -> bytes:
    """Long Parquet bytes of one vehicle's raw objects."""
    rows = []
    for _, data in buffers:
        for line in data.splitlines():
            envelope = json.loads(line)
            record, headers = envelope["d"], envelope["h"]
            common = {
                "vin": vin,
                "event_time": record["createdAt"],
                "received_at": int(headers["receivedat"]),
                "provider": "tesla",
                "is_resend": record.get("isResend"),
                "txid": headers.get("txid"),
                "source": "tesla_V",
                "partition": envelope["_p"],
                "offset": envelope["_o"],
                "source_ts": envelope["_t"],
            }
            for datum in record["data"]:
                kind, value = next(iter(datum["value"].items()), (None, None))
                if kind in STRUCTS:
                    rows += [
                        common | {"signal": f"{datum['key']}.{part}", "kind": kind, "number": inner, "status": "ok"}
                        for part, inner in value.items()
                    ]
                elif kind == "invalid":
                    rows.append(common | {"signal": str(datum["key"]), "kind": kind, "status": "invalid"})
                elif kind is None:
                    rows.append(common | {"signal": str(datum["key"]), "status": "missing"})
                elif isinstance(value, str):
                    rows.append(common | {"signal": str(datum["key"]), "kind": kind, "text": value, "status": "ok"})
                else:
                    number = float(value)
                    rows.append(common | {"signal": str(datum["key"]), "kind": kind, "number": number, "status": "ok"})
    frame = pd.DataFrame(rows)
    frame["event_time"] = pd.to_datetime(frame["event_time"], format="ISO8601", utc=True)
    frame["received_at"] = pd.to_datetime(frame["received_at"], unit="ms", utc=True)
    frame["number"] = pd.to_numeric(frame["number"])
    frame = frame.drop_duplicates(["source", "partition", "offset", "source_ts", "signal"], keep="first")
    frame = frame.sort_values(["event_time", "source", "partition", "offset"], kind="stable")
    sink = io.BytesIO()
    frame.to_parquet(sink, compression="zstd", index=False)
    return sink.getvalue()
