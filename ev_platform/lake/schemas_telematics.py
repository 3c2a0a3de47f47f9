"""Arrow schemas of the telematics tables; see schemas.py."""

from __future__ import annotations

import pyarrow as pa

from ev_platform.lake.schemas import TIME, _field

_DEVICE = [
    _field("device_id", pa.string(), "telematics device"),
    _field("vin", pa.string(), "vehicle of the device by the registry; null when nobody said"),
]

TELEMATICS_EVENTS = pa.schema(
    [
        *_DEVICE,
        _field("time", TIME, "event time, UTC"),
        _field("variable", pa.string(), "name as the device writes it"),
        _field("number", pa.float64(), "value of a numeric variable"),
        _field("flag", pa.bool_(), "value of an on/off variable"),
        _field("latitude", pa.float64(), "of a POSITION with a fix", "deg"),
        _field("longitude", pa.float64(), "of a POSITION with a fix", "deg"),
        _field("altitude_m", pa.float64(), "of a POSITION with a fix", "m"),
        _field("text", pa.string(), "the value as sent, wherever number does not reproduce it"),
        _field("alarm_class", pa.int8(), "band code as sent"),
        _field("band", pa.string(), "very_low | low | normal | high | very_high | off; null for an unknown code"),
        _field("known", pa.bool_(), "the variable is in the vocabulary and the value is of its kind"),
        _field("repeat", pa.bool_(), "the same reading (event_id) was received before, under another offset"),
        _field("event_id", pa.string(), "hash of device, time, variable and value: the reading itself"),
        _field("extra", pa.string(), "keys of the message without a column, JSON"),
        _field("source", pa.string(), "Kafka topic"),
        _field("partition", pa.int32(), "Kafka partition"),
        _field("offset", pa.int64(), "Kafka offset"),
        _field("source_ts", pa.int64(), "Kafka timestamp", "ms"),
    ]
)
"""telematics/events: one row per message received, sorted by device, time, variable; results leave `repeat` out."""

EVENT_IDENTITY = ["source", "partition", "offset", "source_ts"]
"""Columns that name one message."""

TELEMATICS_ALARMS = pa.schema(
    [
        _field("alarm_id", pa.string(), "hash of device, variable and start"),
        *_DEVICE,
        _field("variable", pa.string(), "name as the device writes it"),
        _field("band", pa.string(), "very_low | very_high"),
        _field("start", TIME, "first reading of the run"),
        _field("end", TIME, "last reading of the run"),
        _field("duration_s", pa.float64(), "end - start", "s"),
        _field("count", pa.int64(), "readings of the run"),
        _field("minimum", pa.float64(), "smallest value of the run"),
        _field("maximum", pa.float64(), "largest value of the run"),
    ]
)
"""telematics/alarms: runs of very low or very high readings, filed under their start day, over midnight too."""

DRIVING_STYLE = pa.schema(
    [
        *_DEVICE,
        _field("date", pa.date32(), "UTC day"),
        _field("readings", pa.int64(), "readings of the day, repeats left out"),
        _field("driving_s", pa.float64(), "time with speed above 0, gaps left out", "s"),
        _field("speed_mean_kmh", pa.float64(), "time-weighted mean while driving", "km/h"),
        _field("speed_max_kmh", pa.float64(), "highest speed", "km/h"),
        _field("idling_s", pa.float64(), "time with IDLING on, gaps left out", "s"),
        _field("idling_share", pa.float64(), "idling over idling and driving; null without either"),
        _field("harsh_accelerations", pa.int64(), "runs of very high readings of an acceleration axis"),
        _field("harsh_brakings", pa.int64(), "runs of very low readings of an acceleration axis"),
        _field("speed_alarms", pa.int64(), "runs of very high speed"),
        _field("rpm_alarms", pa.int64(), "runs of very high engine speed"),
        _field("towing_events", pa.int64(), "changes of TOWING to on"),
        _field("ignition_offs", pa.int64(), "changes of IGNITION_STATUS to off"),
        _field("alarms", pa.int64(), "runs of any variable that began on the day"),
        _field("no_fix_share", pa.float64(), "positions without a fix, over all positions"),
    ]
)
"""telematics/driving_style_daily: one row per device and day."""
