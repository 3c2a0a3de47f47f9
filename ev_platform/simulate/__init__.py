"""A fleet with physics and known truth, and the feed that sends its telemetry to a Kafka broker.

Nothing here is read by the pipeline: it meets these vehicles only through the broker and the vehicle registry.
"""

from __future__ import annotations
