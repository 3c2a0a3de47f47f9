"""Draws the pictures of docs/rules: `python scripts/rule_pictures.py`. Same seeds, same pictures.

The data come from the generators that the tests use (logs like those of real cars), so whoever doubts a rule can change
a number there and look again.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import polars as pl

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "scripts")]

from plain_svg import COLOURS, Plot  # noqa: E402

from ev_platform.battery.degradation import Series, fit_template, predict  # noqa: E402
from ev_platform.battery.evidence import collect_evidence  # noqa: E402
from ev_platform.battery.filter import filter_series  # noqa: E402
from ev_platform.battery.history import battery_history  # noqa: E402
from ev_platform.battery.temperature import coldness  # noqa: E402
from ev_platform_tests.battery import baselines  # noqa: E402
from ev_platform_tests.battery.conftest import make_fleet  # noqa: E402
from ev_platform_tests.battery.real_logs import LEAF, leaf, no_sessions, registry_of, taxis  # noqa: E402

OUT = ROOT / "docs" / "rules"
BLUE, RED, GREEN, AMBER, GREY = COLOURS


def energy_remaining() -> None:
    """Stated energy against SoC: affine, not proportional."""
    rows, _ = leaf(seed=5, months=1)
    points = collect_evidence(rows, no_sessions(), registry_of(), "2026-01").points
    soc, kwh = points["soc_percent"].to_numpy(), points["battery_energy_kwh"].to_numpy()
    slope, level = np.polyfit(soc, kwh, 1)
    line = np.array([0.0, 100.0])
    plot = Plot("Stated energy is affine in SoC", "SoC, %", "energy remaining, kWh")
    plot.points("readings of a month, one per day and SoC percent", soc, kwh, GREY)
    plot.line(f"affine: zero at {-level / slope:.1f} % SoC", line, slope * line + level, BLUE)
    plot.line("proportional, through the readings above 80 %", line, line * np.median((kwh / soc)[soc > 80]), RED)
    plot.write(OUT / "battery-energy-remaining.svg")


def charge_energy() -> None:
    """Capacity per charge against ΔSoC: small charges are noise, so weights and not a threshold."""
    fleet = make_fleet(cars=30, honest=True, whole_soc=True, seed=12)
    charges = pl.DataFrame(pl.from_arrow(fleet.sessions))
    delta = (charges["soc_end"] - charges["soc_start"]).to_numpy()
    true = np.array([fleet.truth[vin] for vin in charges["vin"]])
    ratio = 100 * charges["energy_kwh"].to_numpy() / delta / true * 100
    keep = (delta > 3) & (np.abs(ratio - 100) < 45)
    x = np.linspace(4, 80, 60)
    sd = 100 * np.sqrt(2 * 0.4**2 + (0.008 * x) ** 2) / x
    plot = Plot("One charge's capacity, whole percents of SoC", "rise of SoC in the charge, %", "capacity, % of true")
    plot.points("charges of 30 cars", delta[keep], ratio[keep], GREY)
    plot.band("two standard deviations that the weights assume", x, 100 - 2 * sd, 100 + 2 * sd, BLUE)
    plot.write(OUT / "battery-charge-energy.svg")


def current() -> None:
    """Monthly charge capacity from driving current: the plain ratio, ours, the truth."""
    rows, truth = leaf(seed=41, months=10)
    history = battery_history(rows, None, registry_of({"vin": LEAF}))
    months = sorted(truth)[:10]
    plain = []
    for month in months:
        windows = collect_evidence(rows, no_sessions(), registry_of(), month).windows
        plain.append(baselines.current_ratio(windows)[LEAF])
    ours = {r["month"]: r for r in history.filtered.to_pylist() if r["quantity"] == "charge"}
    x = np.arange(len(months)) + 1
    got = np.array([ours[month]["capacity"] for month in months])
    sd = np.array([ours[month]["capacity_sd"] for month in months])
    plot = Plot("A current sensor that reads 1.3 A low", "month", "capacity, Ah")
    plot.points("plain ratio of sums", x, plain, RED)
    plot.band("filtered, two standard deviations", x, got - 2 * sd, got + 2 * sd, BLUE)
    plot.line("filtered, offset found and shared over months", x, got, BLUE)
    plot.line("true", x, [truth[month] for month in months], GREEN)
    plot.write(OUT / "battery-current.svg")


def evidence() -> None:
    """Error and stated uncertainty against the SoC that the evidence covers."""
    covered, miss = [], []
    for days in (4, 6, 9, 14, 30):
        fleet = make_fleet(cars=24, days=days, honest=True, seed=days)
        found = battery_history(fleet.cleaned, fleet.sessions, fleet.vehicles).monthly.to_pylist()
        for row in found:
            if row["method"] == "charge_energy" and row["capacity_kwh"]:
                covered.append(np.log10(row["sum_delta_soc"]))
                miss.append(100 * (row["capacity_kwh"] / fleet.truth[row["vin"]] - 1))
    plot = Plot("More evidence, smaller error; none below 60 %", "log10 of the sum of SoC covered, %", "error, %")
    plot.points("charge energy, one car and month each", covered, miss, BLUE)
    plot.line("below: no number (60 %)", [np.log10(60)] * 2, [min(miss), max(miss)], RED)
    plot.write(OUT / "battery-evidence.svg")


def filtered() -> None:
    """Monthly values, the filter and its band, and the forced decay of the earlier rules."""
    rng = np.random.default_rng(21)
    months = np.arange(30)
    true = 72 * np.exp(-0.022 * months / 12)
    observed = true * np.exp(0.004 + rng.normal(0, 0.009, months.size))
    observed[14] *= 1.07
    states = filter_series(months * 30.44, observed, observed * 0.011)
    level, sd = np.array([s.capacity for s in states]), np.array([s.sd for s in states])
    plot = Plot("A causal filter with an honest band", "month", "capacity, kWh")
    plot.points("monthly values", months, observed, GREY)
    plot.band("filtered, two standard deviations", months, level - 2 * sd, level + 2 * sd, BLUE)
    plot.line("filtered", months, level, BLUE)
    plot.line("true", months, true, GREEN)
    plot.line("forced decay (the earlier rules)", months, baselines.forced_decay(list(observed)), RED)
    plot.write(OUT / "battery-filter.svg")


def degradation() -> None:
    """A forecast from three months of one car and a fleet, against persistence and the car's own line."""
    cars: dict[str, list[float]] = {}
    for vin, _, ah in taxis(seed=84):
        cars.setdefault(vin, []).append(ah)
    own = np.array(cars.pop(next(iter(cars))))

    def series(values: np.ndarray, first: int, last: int) -> Series:
        month = np.arange(first, last)
        size = np.full(last - first, 0.005)
        return Series(month / 12, (month + 6) / 12 % 1, np.log(np.asarray(values)[first:last]), size)

    template = fit_template([series(np.array(values), 0, 29) for values in cars.values()])
    later = series(own, 3, 29)
    found = predict(series(own, 0, 3), template, later.years, later.season)
    x, middle = np.arange(3, 29), np.exp(found.log_capacity)
    plot = Plot("Forecast from three months", "month", "capacity, Ah")
    plot.points("this car", np.arange(29), own, GREY)
    plot.band(
        "forecast, two standard deviations", x, middle * np.exp(-2 * found.sd), middle * np.exp(2 * found.sd), BLUE
    )
    plot.line("forecast: fleet template, own level and rate", x, middle, BLUE)
    plot.line("own straight line", x, baselines.own_line(own[:3], 26), RED)
    plot.line("persistence", x, baselines.persistence(own[:3], 26), AMBER)
    plot.write(OUT / "battery-degradation.svg")


def temperature() -> None:
    """What cold hides: capacity per charge against the temperature of the pack, and the correction."""
    fleet = make_fleet(cars=30, seed=15, mean_temperature_c=8.0, cell_cold=0.0025, meter_session=0.008)
    charges = pl.DataFrame(pl.from_arrow(fleet.sessions))
    delta = (charges["soc_end"] - charges["soc_start"]).to_numpy()
    true = np.array([fleet.truth[vin] for vin in charges["vin"]])
    ratio = 10_000 * charges["energy_kwh"].to_numpy() / delta / true
    degrees = charges["battery_temp_mean_c"].to_numpy()
    keep = delta > 15
    x = np.linspace(0, 30, 40)
    plot = Plot("A cold pack takes less per percent", "pack temperature, °C", "capacity, % of that at 25 °C")
    plot.points("charges of 30 cars", degrees[keep], ratio[keep], GREY)
    plot.line("0.25 %/K below 20 °C, nothing above", x, 100 * (1 + 0.0025 * coldness(x)), BLUE)
    plot.write(OUT / "battery-temperature.svg")


if __name__ == "__main__":
    for draw in (energy_remaining, charge_energy, current, evidence, filtered, degradation, temperature):
        draw()
        print(f"docs/rules/battery-{draw.__name__.replace('_', '-').replace('filtered', 'filter')}.svg")
