"""The vehicles of a scenario, day by day: their states, computed once and in order, and the messages they cause.

Not here: what a message looks like (wire.py), which scenario it is (scenario.py).
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING

from ev_platform.simulate.faults import LONGEST_DELAY_DAYS, deliver, undecodable
from ev_platform.simulate.life import CarDay, live_day
from ev_platform.simulate.streams import day_of_ms
from ev_platform.simulate.telemetry import encode
from ev_platform.simulate.vehicle import Car, State, make_car
from ev_platform.simulate.wire import Message

if TYPE_CHECKING:
    from ev_platform.simulate.scenario import Scenario


class Fleet:
    """The vehicles of a scenario: their states day by day, computed once, in order, and their messages.

    Holds one state per vehicle and day, and the messages of a day that arrive on a later one; never a whole history
    of messages.
    """

    def __init__(self, scenario: Scenario) -> None:
        self._scenario = scenario
        self.cars: list[Car] = []
        self._states: list[list[State]] = []
        for index in range(scenario.vehicles):
            car, state = make_car(scenario.seed, index, scenario.first_day, scenario.faults)
            self.cars.append(car)
            self._states.append([state])
        self._truth: dict[tuple[int, int], CarDay] = {}
        self._later: dict[date, dict[date, list[Message]]] = {}

    def car_day(self, index: int, day: date) -> CarDay:
        """One vehicle's day with its sessions (not kept: they are large)."""
        number = (day - self._scenario.first_day).days
        states = self._states[index]
        while len(states) <= number:
            self._live(index, len(states) - 1)
        return self._live(index, number)

    def true_day(self, index: int, day: date) -> CarDay:
        """The same without sessions, remembered."""
        number = (day - self._scenario.first_day).days
        if (index, number) not in self._truth:
            self.car_day(index, day)
        return self._truth[index, number]

    def _live(self, index: int, number: int) -> CarDay:
        scenario, states = self._scenario, self._states[index]
        day = scenario.first_day + timedelta(days=number)
        lived = live_day(self.cars[index], states[number], day, scenario.rates, scenario.intervals)
        if len(states) == number + 1:
            states.append(lived.after)
        self._truth[index, number] = CarDay(lived.before, lived.after, [], lived.trips, lived.charges)
        return lived

    def arrivals(self, day: date) -> list[Message]:
        """Messages of the days up to `day` that reach the broker on `day`, in the order of their timestamps."""
        scenario = self._scenario
        if day < scenario.first_day:
            return []
        result: list[Message] = []
        for back in range(LONGEST_DELAY_DAYS, -1, -1):
            made = day - timedelta(days=back)
            if made >= scenario.first_day:
                result.extend(self._made_on(made, day))
        result.sort(key=_by_time)
        return result

    def _made_on(self, made: date, arrives: date) -> list[Message]:
        if made != arrives and made in self._later:
            return self._later[made].get(arrives, [])
        by_day: dict[date, list[Message]] = {}
        for message in self._generate(made):
            by_day.setdefault(day_of_ms(message.timestamp_ms), []).append(message)
        assert all(0 <= (d - made).days <= LONGEST_DELAY_DAYS for d in by_day)
        now = by_day.pop(arrives, [])
        self._later[made] = by_day if made == arrives else {**by_day, arrives: now}
        self._later[made].pop(made, None)
        for old in [d for d in self._later if (arrives - d).days > LONGEST_DELAY_DAYS]:
            del self._later[old]
        return now

    def _generate(self, day: date) -> list[Message]:
        scenario = self._scenario
        messages: list[Message] = []
        for index, car in enumerate(self.cars):
            for session in self.car_day(index, day).sessions:
                if not session.lost:
                    records = encode(car, session)
                    messages.extend(deliver(car, session, records, scenario.rates, scenario.partitions))
        if scenario.faults:
            messages.extend(undecodable(scenario.seed, scenario.vehicles, day, scenario.rates, scenario.partitions))
        return messages


def _by_time(message: Message) -> int:
    return message.timestamp_ms
