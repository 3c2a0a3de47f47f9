"""Checks of the telematics chain: nothing lost, nothing counted twice, and bands that mean what we take them for."""

from ev_platform.defs.lake.checks import DayCheck, build
from ev_platform.defs.telematics.assets import EVENTS_KEY
from ev_platform.engine.telematics_inspection import disordered_bands, doubled_readings, lost_readings

CHECKS = (
    DayCheck(EVENTS_KEY, "row_conservation", lost_readings, "Every reading that was drained for the day is there."),
    DayCheck(EVENTS_KEY, "counted_once", doubled_readings, "Every message is stored once, every reading counts once."),
    DayCheck(
        EVENTS_KEY,
        "band_order",
        disordered_bands,
        "Values rise from very low to very high, per device and variable.",
        blocking=False,
    ),
)

telematics_checks = [build(row) for row in CHECKS]
