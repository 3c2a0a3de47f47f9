"""What is intended: the trips of a day. Depends on the car and the date only, so it can be looked up ahead."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

from ev_platform.simulate.profiles import Habit, To
from ev_platform.simulate.streams import HOUR_MS, MINUTE_MS, day_start_ms, stream
from ev_platform.simulate.vehicle import Car

EARLIEST_MS = 12 * MINUTE_MS
"""Nobody sets out in the first minutes of a UTC day; a trip of the evening before may be under way."""


@dataclass(frozen=True)
class Trip:
    """One intended trip."""

    start_ms: int
    km: float
    habit: Habit


def plan(car: Car, day: date) -> list[Trip]:
    """The trips intended on `day`, in time order."""
    draw = stream(car.seed, "plan", car.index, day.toordinal())
    trips = []
    for habit in car.profile.habits:
        chance, shift, stretch = draw.random(), draw.normal(0, habit.spread_h), draw.uniform(0.75, 1.35)
        if day.weekday() not in habit.days.value or chance > habit.probability:
            continue
        km = (habit.km or car.profile.work_km) * float(stretch if habit.km else 0.97 + 0.06 * stretch)
        start = day_start_ms(day) + round(habit.hour * HOUR_MS + float(shift) * HOUR_MS)
        trips.append(Trip(max(start, day_start_ms(day) + EARLIEST_MS), km, habit))
    return sorted(trips, key=lambda trip: trip.start_ms)


def next_departure_ms(car: Car, day: date) -> int:
    """Start of the first trip after `day`; trips home do not count, the car may be there already."""
    for ahead in range(1, 4):
        for trip in plan(car, day + timedelta(days=ahead)):
            if trip.habit.to is not To.HOME:
                return trip.start_ms
    return day_start_ms(day + timedelta(days=4))
