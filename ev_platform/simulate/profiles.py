"""How people use their cars: daily trips and charging habits, as data. Hours are UTC (the fleet lives at UTC+1)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Days(Enum):
    """On which days a trip happens."""

    WORK = (0, 1, 2, 3, 4)
    WEEKEND = (5, 6)
    ALL = (0, 1, 2, 3, 4, 5, 6)


class To(Enum):
    """Where a trip goes."""

    HOME = "home"
    WORK = "work"
    ELSEWHERE = "elsewhere"


@dataclass(frozen=True)
class Habit:
    """One usual trip. `km` is its median; trips to work and from there take the distance of the workplace."""

    hour: float
    spread_h: float
    km: float
    road: str
    probability: float
    days: Days
    to: To


@dataclass(frozen=True)
class Profile:
    """One kind of use."""

    name: str
    km_per_year: float
    work_km: float
    habits: tuple[Habit, ...]
    home_ac_kw: float
    charge_hour: float | None
    plug_below_percent: float
    fast_below_percent: float
    preconditions: bool


ROADS: dict[str, tuple[tuple[float, ...], float]] = {
    "town": ((22, 30, 38, 48, 50, 30), 0.22),
    "country": ((50, 70, 80, 86, 60, 45), 0.08),
    "motorway": ((112, 124, 130, 118, 98, 126), 0.01),
}
"""Speeds in km/h that are driven for a while, and the share of stops between them."""

_WORKDAYS = (
    Habit(6.6, 0.35, 0, "country", 0.95, Days.WORK, To.WORK),
    Habit(16.6, 0.5, 0, "country", 1.0, Days.WORK, To.HOME),
)
_ERRANDS = (
    Habit(10.0, 1.2, 12, "town", 0.85, Days.WEEKEND, To.ELSEWHERE),
    Habit(13.5, 1.2, 12, "town", 1.0, Days.WEEKEND, To.HOME),
    Habit(18.6, 0.5, 5, "town", 0.25, Days.WORK, To.ELSEWHERE),
    Habit(20.0, 0.5, 5, "town", 1.0, Days.WORK, To.HOME),
)
_OUTING = (
    Habit(8.5, 0.8, 95, "motorway", 0.75, Days.WEEKEND, To.ELSEWHERE),
    Habit(16.0, 1.0, 95, "motorway", 1.0, Days.WEEKEND, To.HOME),
)

PROFILES: tuple[Profile, ...] = (
    # Home charger in kW, hour its charge starts (None: on arrival), plug in below, fast charge below, warm up on mains.
    Profile("commuter, night tariff", 15000, 24, _WORKDAYS + _ERRANDS, 7.4, 22.4, 72, 12, True),
    Profile("commuter, on arrival", 14000, 18, _WORKDAYS + _ERRANDS, 11.0, None, 62, 12, True),
    Profile("household socket", 11000, 14, _WORKDAYS + _ERRANDS, 2.3, 20.5, 78, 12, False),
    Profile("public chargers only", 13000, 20, _WORKDAYS + _OUTING, 0.0, None, 0, 48, False),
    Profile(
        "night shift",
        14000,
        22,
        (
            Habit(14.2, 0.3, 0, "country", 0.9, Days.WORK, To.WORK),
            Habit(23.6, 0.15, 0, "country", 1.0, Days.ALL, To.HOME),
            Habit(11.0, 1.0, 12, "town", 0.6, Days.WEEKEND, To.ELSEWHERE),
        ),
        3.7,
        None,
        75,
        12,
        False,
    ),
    Profile(
        "field service",
        34000,
        15,
        (
            Habit(6.0, 0.3, 62, "motorway", 0.95, Days.WORK, To.ELSEWHERE),
            Habit(9.2, 0.4, 28, "country", 0.9, Days.WORK, To.ELSEWHERE),
            Habit(12.5, 0.4, 34, "country", 0.8, Days.WORK, To.ELSEWHERE),
            Habit(16.0, 0.5, 60, "motorway", 1.0, Days.WORK, To.HOME),
            *_ERRANDS[:2],
        ),
        11.0,
        21.8,
        80,
        32,
        True,
    ),
    Profile("second car", 7000, 9, _ERRANDS + _WORKDAYS, 3.7, 22.0, 66, 12, False),
    Profile("weekend traveller", 12000, 11, _WORKDAYS + _OUTING, 7.4, 23.2, 70, 30, True),
)
"""Dealt to the fleet in turn."""
