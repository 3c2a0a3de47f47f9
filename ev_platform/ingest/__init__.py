"""Messages become raw lines in temp/: routing, per-vehicle buffers, Kafka, offset receipts, audit. No Dagster here."""
