"""The daily life of one vehicle: how a day goes.

Belongs here: when a car drives, charges, warms up, wakes and sleeps; which trips and charges truly happened. Not here:
what was intended (plan.py). How the day goes depends on the state that the day before left. A charge or a drive that
crosses midnight belongs to the day on which it starts.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import date

import numpy as np

from ev_platform.simulate.faults import FaultRates
from ev_platform.simulate.fields import Intervals
from ev_platform.simulate.physics import LOWEST_PERCENT, Charger, Stretch, charge, drive, precondition, stand
from ev_platform.simulate.plan import Trip, next_departure_ms, plan
from ev_platform.simulate.profiles import To
from ev_platform.simulate.sensors import MILE_KM
from ev_platform.simulate.streams import DAY_MS, HOUR_MS, MINUTE_MS, day_start_ms, stream
from ev_platform.simulate.telemetry import Session
from ev_platform.simulate.vehicle import Car, Floats, State, age, next_bms, reported_soc_percent
from ev_platform.simulate.weather import outside_temperature_c

_SLEEP_KW = 0.012
_KWH_PER_KM = {"town": 0.22, "country": 0.20, "motorway": 0.26}
_PRECONDITION_BELOW_C = 11.0
_LONGEST_WAIT_MS = 90 * MINUTE_MS
_PAUSE_SHARE = 0.15
_FULL = 0.993
_LONGEST_NIGHT_MS = 15 * HOUR_MS
"""A charge ends at 15:00 of the next day at the latest, so that no record is ever late by more than two days."""

Moment = tuple[State, Stretch]
"""A stretch and the state in which it began."""


@dataclass(frozen=True)
class TrueTrip:
    """One trip that happened; energy is drawn at the battery's terminals, net of recuperation."""

    start_ms: int
    end_ms: int
    distance_km: float
    energy_kwh: float
    soc_start: float
    soc_end: float
    observed: bool


@dataclass(frozen=True)
class TrueCharge:
    """One charge that happened; energy is put in at the battery's terminals."""

    start_ms: int
    end_ms: int
    soc_start: float
    soc_end: float
    energy_kwh: float
    charge_type: str
    observed: bool


@dataclass
class CarDay:
    """One vehicle's day: sessions to be reported, what truly happened, and the state in which it ends."""

    before: State
    after: State
    sessions: list[Session] = field(default_factory=list)
    trips: list[TrueTrip] = field(default_factory=list)
    charges: list[TrueCharge] = field(default_factory=list)


class _Living:
    """Lives one day: moves the state forward and notes sessions and truth."""

    def __init__(self, car: Car, state: State, day: date, rates: FaultRates, intervals: Intervals) -> None:
        self.car, self.day, self.rates = car, day, rates
        self.steps = {
            "drive": intervals.drive_seconds * 1000,
            "charge": intervals.charge_seconds * 1000,
            "idle": intervals.idle_seconds * 1000,
        }
        self.draw = stream(car.seed, "life", car.index, day.toordinal())
        self.begin_ms = day_start_ms(day)
        self.end_ms = self.begin_ms + DAY_MS
        wakes = stream(car.seed, "wakes", car.index, day.toordinal())
        count = int(wakes.integers(1, 4))
        self.wakes = sorted(int(self.begin_ms + x * DAY_MS) for x in wakes.uniform(0.02, 0.98, count))
        self.result = CarDay(state, state)
        self.state = replace(state, time_ms=max(state.time_ms, self.begin_ms))

    # -- the clockwork -------------------------------------------------------------------------------------------

    def live(self) -> CarDay:
        """The whole day."""
        trips = plan(self.car, self.day)
        for trip in trips:
            if not self._wanted(trip):
                continue
            self._park(trip.start_ms)
            if not self._enough(trip) and not self._fast_charge(trip):
                continue
            self._drive(trip)
        self._park(next_departure_ms(self.car, self.day))
        self._sleep(self.end_ms)
        offset, gain = next_bms(
            self.car, self.state, stream(self.car.seed, "bms", self.car.index, self.day.toordinal())
        )
        self.state = replace(
            self.state,
            soh_percent=age(self.car, self.state, 1.0),
            day_throughput_kwh=0.0,
            bms_offset_percent=offset,
            bms_gain=gain,
        )
        capped = min(self.state.energy_kwh, self.state.capacity_kwh(self.car))
        self.result.after = replace(self.state, energy_kwh=capped)
        return self.result

    def _wanted(self, trip: Trip) -> bool:
        if trip.habit.to is To.HOME and self.state.at_home:
            return False
        return trip.start_ms + _LONGEST_WAIT_MS > self.state.time_ms

    def _enough(self, trip: Trip) -> bool:
        need = trip.km * _KWH_PER_KM[trip.habit.road] * 1.15
        return self.state.energy_kwh - need > (LOWEST_PERCENT + 3) / 100 * self.state.capacity_kwh(self.car)

    # -- standing ------------------------------------------------------------------------------------------------

    def _sleep(self, until_ms: int) -> None:
        hours = (until_ms - self.state.time_ms) / HOUR_MS
        if hours <= 0:
            return
        when = np.array([self.state.time_ms, until_ms], dtype=np.int64)
        outside = float(outside_temperature_c(self.car.seed, when).mean()) + self.car.climate_offset_c
        used = min(_SLEEP_KW * hours, self.state.energy_kwh)
        self.state = replace(
            self.state,
            time_ms=until_ms,
            energy_kwh=self.state.energy_kwh - used,
            day_throughput_kwh=self.state.day_throughput_kwh + used,
            battery_temp_c=outside + (self.state.battery_temp_c - outside) * float(np.exp(-hours / 14.0)),
        )

    def _park(self, departure_ms: int) -> None:
        """From now until `departure_ms` or midnight: a due charge, wakes, and warming up shortly before departure."""
        until = min(departure_ms, self.end_ms)
        events: list[tuple[int, Callable[[int], None]]] = [(at, self._wake) for at in self.wakes]
        if self.state.plugged and self.state.charge_at_ms is not None:
            events.append((max(self.state.charge_at_ms, self.state.time_ms), self._home_charge))
        if self.state.plugged and self.car.profile.preconditions:
            events.append((departure_ms - round(self.draw.uniform(13, 18) * MINUTE_MS), self._precondition))
        for at, act in sorted(events, key=lambda event: event[0]):
            if self.state.time_ms <= at < until - 4 * MINUTE_MS:
                self._sleep(at)
                act(departure_ms)
        self._sleep(until)

    def _wake(self, departure_ms: int) -> None:
        seconds = min(self.draw.uniform(180, 600), (departure_ms - self.state.time_ms) / 1000 - 60)
        if seconds > 120:
            self._session([self._stand(seconds)])

    def _precondition(self, departure_ms: int) -> None:
        here = np.array([self.state.time_ms], dtype=np.int64)
        cold = float(outside_temperature_c(self.car.seed, here)[0]) + self.car.climate_offset_c < _PRECONDITION_BELOW_C
        seconds = (departure_ms - self.state.time_ms) / 1000 - 60
        if cold and seconds > 300:
            self._session([self._do(precondition(self.car, self.state, seconds, self.steps["charge"], self.draw))])

    def _stand(self, seconds: float, **changes: object) -> Moment:
        quick = min(self.steps["idle"], 30_000) if seconds < 150 else self.steps["idle"]
        stretch = stand(self.car, self.state, seconds, quick, self.draw)
        for name, value in changes.items():
            setattr(stretch, name, value)
        return self._do(stretch)

    # -- charging ------------------------------------------------------------------------------------------------

    def _home_charge(self, departure_ms: int) -> None:
        self.state = replace(self.state, charge_at_ms=None)
        charger = Charger("ac", self.car.home_ac_kw)
        until_ms = min(departure_ms - 20 * MINUTE_MS, self.end_ms + _LONGEST_NIGHT_MS)
        self._charge(charger, self.car.charge_limit_percent, until_ms)

    def _fast_charge(self, trip: Trip | None) -> bool:
        """Charge at a fast charger near by; True when the trip can follow."""
        charger = Charger("dc", float(self.draw.choice([150.0, 250.0])))
        self._charge(charger, float(self.draw.uniform(68, 84)), self.state.time_ms + 80 * MINUTE_MS)
        return trip is None or self._enough(trip)

    def _charge(self, charger: Charger, limit_percent: float, until_ms: int) -> None:
        if self._soc() > limit_percent - 4:
            return
        before = self.state
        self.state = replace(before, cable="Stopped", counter_kwh=0.0, counter_ac_kwh=0.0)
        stretches = [self._stand(40, charge_state="Starting")]
        parts = self._charge_parts(charger, limit_percent, until_ms, stretches)
        if not parts:
            self.state = before
            return
        self._finish_charge(limit_percent)
        stretches.append(self._stand(self.draw.uniform(150, 360)))
        if charger.kind == "dc":
            self.state = replace(self.state, cable="Disconnected")
        lost = bool(self.draw.random() < self.rates.lost_per_charge)
        missing = bool(self.draw.random() < self.rates.end_missing_per_charge)
        self._session(stretches, lost=lost, end_missing=missing)
        capacity = before.capacity_kwh(self.car)
        self.result.charges.append(
            TrueCharge(
                start_ms=int(parts[0][1].time_ms[0]),
                end_ms=parts[-1][1].end_ms,
                soc_start=100 * parts[0][0].energy_kwh / capacity,
                soc_end=100 * float(parts[-1][1].energy_kwh[-1]) / capacity,
                energy_kwh=sum(part.terminal_kwh for _, part in parts),
                charge_type=charger.kind,
                observed=not lost,
            )
        )

    def _finish_charge(self, limit_percent: float) -> None:
        """Complete or stopped; a full charge is the one moment when iron phosphate tells its state of charge."""
        full = self.state.energy_kwh > _FULL * self.state.capacity_kwh(self.car)
        done = full or self._soc() >= limit_percent - 0.2
        offset = 0.0 if full and self.car.model.chemistry == "LFP" else self.state.bms_offset_percent
        self.state = replace(self.state, cable="Complete" if done else "Stopped", bms_offset_percent=offset)

    def _charge_parts(
        self, charger: Charger, limit_percent: float, until_ms: int, stretches: list[Moment]
    ) -> list[Moment]:
        """The charge, now and then with a pause of some minutes in it; adds what happens to `stretches`."""
        parts: list[Moment] = []
        pause = charger.kind == "ac" and self.draw.random() < _PAUSE_SHARE
        while len(parts) < 2:
            counted = (self.state.counter_kwh, self.state.counter_ac_kwh)
            step_ms = self.steps["charge"]
            stretch = charge(self.car, self.state, charger, limit_percent, until_ms, step_ms, self.draw, counted)
            if stretch is None:
                break
            if pause and not parts and len(stretch.time_ms) * step_ms > HOUR_MS:
                stretch = stretch.first(len(stretch.time_ms) // 2)
            self._step_back(stretch)
            parts.append(self._do(stretch))
            stretches.append(parts[-1])
            if not pause or len(parts) == 2:
                break
            stretches.append(self._stand(self.draw.uniform(150, 600)))
        return parts

    def _step_back(self, stretch: Stretch) -> None:
        """The battery-side counter is not monotonic: it steps back 0.02–0.04 kWh now and then (TeslaLogger)."""
        if self.draw.random() >= self.rates.step_back_per_charge:
            return
        counter = np.asarray(stretch.counter_kwh)
        if len(counter) <= 4:  # slow polling of a short charge: nothing to step back from
            return
        for at in self.draw.integers(max(4, len(counter) // 5), len(counter), 3).tolist():
            counter[at : at + 7] = max(0.0, float(counter[at - 4]) - float(self.draw.choice([0.03, 0.05])))

    # -- driving -------------------------------------------------------------------------------------------------

    def _drive(self, trip: Trip) -> None:
        car, was = self.car, self.state
        self.state = replace(was, cable="Disconnected", charge_at_ms=None)
        words = {"DoorState": "DriverFront", "Gear": "P"}
        ready = self._stand(self.draw.uniform(40, 100), words=words, hvac="On")
        self.state = replace(self.state, at_home=False)
        before = self.state
        stretch = drive(car, before, trip.km, trip.habit.road, self._goal(trip), self.steps["drive"], self.draw)
        self._do(stretch)
        arrived = trip.habit.to is To.HOME
        self.state = replace(self.state, at_home=arrived)
        after = [self._stand(45, words={"Gear": "P"}), self._linger(arrived)]
        lost = bool(self.draw.random() < self.rates.lost_per_drive)
        self._session([ready, (before, stretch), *after], lost=lost)
        capacity = before.capacity_kwh(car)
        self.result.trips.append(
            TrueTrip(
                int(stretch.time_ms[0]),
                stretch.end_ms,
                float(stretch.odometer_km[-1]) - before.odometer_km,
                -stretch.terminal_kwh,
                100 * before.energy_kwh / capacity,
                100 * float(stretch.energy_kwh[-1]) / capacity,
                not lost,
            )
        )
        self._arrive(arrived)

    def _goal(self, trip: Trip) -> tuple[float, float]:
        if trip.habit.to is To.HOME:
            return self.car.home
        if trip.habit.to is To.WORK:
            return self.car.work
        bearing = self.draw.uniform(0, 2 * np.pi)
        reach = 0.75 * trip.km / 111.2
        here = self.state.position
        return (here[0] + reach * float(np.cos(bearing)), here[1] + 1.4 * reach * float(np.sin(bearing)))

    def _linger(self, arrived: bool) -> Moment:
        if self.car.sentry and not arrived:
            return self._stand(self.draw.uniform(1.5, 4.0) * 3600, words={"SentryMode": "Armed"})
        return self._stand(self.draw.uniform(240, 720))

    def _arrive(self, at_home: bool) -> None:
        """Plug in at home when the habit says so; away, a fast charge when low."""
        profile, soc = self.car.profile, self._soc()
        if (
            at_home
            and self.car.home_ac_kw > 0
            and soc < min(profile.plug_below_percent, self.car.charge_limit_percent - 6)
        ):
            due = self.state.time_ms + round(self.draw.uniform(1, 6) * MINUTE_MS)
            if profile.charge_hour is not None:
                tonight = due // DAY_MS * DAY_MS + round(profile.charge_hour * HOUR_MS)
                due = max(due, tonight)
            self.state = replace(self.state, cable="Stopped", charge_at_ms=due)
        elif soc < profile.fast_below_percent:
            self._sleep(self.state.time_ms + 2 * MINUTE_MS)
            self._fast_charge(None)

    # -- book-keeping --------------------------------------------------------------------------------------------

    def _soc(self) -> float:
        energy, temp = np.array([self.state.energy_kwh]), np.array([self.state.battery_temp_c])
        return float(reported_soc_percent(self.car, self.state, energy, temp)[0])

    def _do(self, stretch: Stretch) -> Moment:
        """Move the state to the end of a stretch; returns the state in which it began, for the sensors."""
        before = self.state
        cycled = float(np.abs(stretch.power_kw).sum()) * stretch.step_ms / 3.6e6
        used = float(np.maximum(-stretch.power_kw, 0).sum()) * stretch.step_ms / 3.6e6
        self.state = replace(
            before,
            time_ms=stretch.end_ms,
            energy_kwh=float(stretch.energy_kwh[-1]),
            odometer_km=float(stretch.odometer_km[-1]),
            battery_temp_c=float(stretch.battery_c[-1]),
            counter_kwh=_last(stretch.counter_kwh, before.counter_kwh),
            counter_ac_kwh=_last(stretch.counter_ac_kwh, before.counter_ac_kwh),
            lifetime_kwh=before.lifetime_kwh + used,
            day_throughput_kwh=before.day_throughput_kwh + cycled,
            position=(float(stretch.latitude[-1]), float(stretch.longitude[-1])),
        )
        return before, stretch

    def _session(self, stretches: list[Moment], lost: bool = False, end_missing: bool = False) -> None:
        state = self.state
        stale = (
            (round(state.reported_soc_percent, 4), round(state.reported_odometer_mi, 3)) if state.stale_next else None
        )
        session = Session(state.session_number, stretches, lost, stale, end_missing)
        self.result.sessions.append(session)
        if lost:
            stale_next = bool(self.draw.random() < self.rates.stale_after_lost)
            self.state = replace(state, session_number=state.session_number + 1, stale_next=stale_next)
            return
        self.state = replace(
            state,
            session_number=state.session_number + 1,
            stale_next=False,
            reported_soc_percent=self._soc(),
            reported_odometer_mi=state.odometer_km / MILE_KM,
        )


def _last(counter: Floats | float, otherwise: float) -> float:
    return float(counter[-1]) if isinstance(counter, np.ndarray) else otherwise


def live_day(car: Car, state: State, day: date, rates: FaultRates, intervals: Intervals) -> CarDay:
    """How `day` goes for `car` from `state` (as `CarDay.after` of the day before)."""
    return _Living(car, state, day, rates, intervals).live()
