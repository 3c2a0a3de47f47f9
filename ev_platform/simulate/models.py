"""The vehicles that can be driven: one row per model, as data.

Belongs here: capacities, charge curves, open-circuit voltages, masses. Not here: how they are used (physics.py).
Figures marked "plausible" are round values in the range that owners and reviewers publish; only differences between
models matter for the simulation, not the exact figure of one of them.
"""

from __future__ import annotations

from dataclasses import dataclass

CurvePoints = tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class EvModel:
    """One model: battery, charger, body and what the car calls itself."""

    name: str
    car_type: str
    trim: str
    chemistry: str
    usable_new_kwh: float
    reserve_kwh: float
    cells_in_series: int
    resistance_ohm: float
    max_ac_kw: float
    dc_curve_kw: CurvePoints
    rated_range_mi: float
    mass_kg: float
    drag_area_m2: float
    rolling: float
    calendar_percent_per_year: float
    cycle_percent_per_100: float
    ideal_range_sentinel: bool = False


OCV_PER_CELL: dict[str, CurvePoints] = {
    # Percent of usable energy → volts at rest. Tesla pack samples lie between 3.42 and 4.04 V per cell (TeslaLogger).
    "NMC": ((0, 3.32), (5, 3.45), (10, 3.50), (20, 3.56), (40, 3.64), (50, 3.69), (60, 3.77), (80, 3.94), (100, 4.15)),
    "NCA": ((0, 3.28), (5, 3.42), (10, 3.48), (20, 3.55), (40, 3.65), (50, 3.72), (60, 3.81), (80, 3.97), (100, 4.16)),
    # Iron phosphate is flat: the reason why its state of charge drifts until the next full charge.
    "LFP": ((0, 3.00), (5, 3.18), (10, 3.22), (20, 3.26), (40, 3.29), (60, 3.31), (80, 3.33), (98, 3.34), (100, 3.42)),
}
"""Open-circuit voltage per cell by chemistry (plausible)."""

_V3 = ((0, 160), (4, 250), (16, 250), (30, 190), (40, 145), (50, 100), (60, 80), (70, 64), (80, 50), (90, 32), (100, 6))
_V2 = ((0, 70), (5, 118), (30, 118), (45, 98), (60, 74), (70, 58), (80, 44), (90, 28), (100, 5))
_LFP = ((0, 120), (5, 170), (22, 168), (40, 115), (60, 82), (75, 58), (85, 46), (95, 28), (100, 8))
# A 250 kW post gives about 240 kW near empty and 90 kW at 52 % (TeslaLogger's samples); the rest is plausible.

MODELS: tuple[EvModel, ...] = (
    # Of the size of real cars, but the truth of a simulation: nobody looked these figures up; quote them nowhere.
    EvModel("Model 3 RWD", "Model3", "50", "LFP", 57.5, 2.6, 106, 0.020, 11.0, _LFP, 272, 1850, 0.51, 0.0085, 1.3, 0.9),
    EvModel("Model 3 LR", "Model3", "74D", "NMC", 75.0, 3.6, 96, 0.019, 11.0, _V3, 341, 1920, 0.51, 0.0088, 1.5, 1.1),
    EvModel("Model Y LR", "ModelY", "74D", "NMC", 75.0, 3.6, 96, 0.019, 11.0, _V3, 330, 2070, 0.61, 0.0090, 1.5, 1.1),
    EvModel(
        "Model Y Performance",
        "ModelY",
        "P74D",
        "NCA",
        76.0,
        3.7,
        96,
        0.018,
        11.0,
        _V3,
        303,
        2090,
        0.62,
        0.0100,
        1.7,
        1.2,
    ),
    EvModel(
        "Model S 100D",
        "ModelS",
        "100D",
        "NCA",
        94.0,
        4.0,
        96,
        0.020,
        16.5,
        _V2,
        335,
        2300,
        0.57,
        0.0095,
        1.6,
        1.3,
        True,
    ),
    EvModel(
        "Model X 100D",
        "ModelX",
        "100D",
        "NCA",
        94.0,
        4.0,
        96,
        0.020,
        16.5,
        _V2,
        295,
        2600,
        0.67,
        0.0100,
        1.6,
        1.3,
        True,
    ),
    EvModel("Model 3 SR+", "Model3", "50", "NCA", 49.5, 2.3, 96, 0.024, 11.0, _V2, 240, 1730, 0.51, 0.0085, 1.8, 1.4),
)
"""The fleet is dealt from these in turn."""
