"""Segmentation once more, plain and slow: one vehicle at a time, loops over rows as dictionaries.

Written from the rules, not from the product's code. Covers where pieces begin and end, their kind, SoC, odometer,
energy by counter, power or SoC. Read this to know what segmentation does.
"""

from __future__ import annotations

import itertools
import math
from datetime import UTC, datetime, timedelta

MIN = 60.0


def segment(cleaned: list[dict], day: str, usable: dict[str, float | None]) -> list[dict]:
    """Pieces of the rows (one provider per vehicle) of a day."""
    midnight = datetime.fromisoformat(day).replace(tzinfo=UTC)
    pieces = []
    for vin in sorted({row["vin"] for row in cleaned}):
        rows = sorted((row for row in cleaned if row["vin"] == vin), key=lambda row: row["time"])
        pieces += _Vehicle(vin, rows, midnight, usable.get(vin)).pieces()
    return pieces


class _Vehicle:
    def __init__(self, vin, rows, midnight, usable_kwh):
        self.vin, self.rows, self.midnight, self.usable_kwh = vin, rows, midnight, usable_kwh
        self.n = len(rows)
        self.seen = {
            name: [i for i in range(self.n) if rows[i][name] is not None]
            for name in ("soc_percent", "odometer_km", "pack_voltage_v", "pack_current_a", "charge_energy_kwh")
        }

    # --- small questions -------------------------------------------------------------------------------------------
    def seconds(self, first, last):
        return (self.rows[last]["time"] - self.rows[first]["time"]).total_seconds()

    def gap(self, i):
        """Seconds from row i to the next; infinite for the last."""
        return self.seconds(i, i + 1) if i + 1 < self.n else math.inf

    def cut(self, i):
        return any(flag.startswith("jump:") for flag in self.rows[i]["quality"])

    def cut_between(self, first, last):
        return any(self.cut(i) for i in range(first + 1, last + 1))

    def lost_between(self, first, last):
        return any(self.gap(i) > 15 * MIN for i in range(first, last))

    def held(self, name, i, limit=math.inf):
        """The observation of a state that still holds at row i: no invalid, no 15 minutes of silence since."""
        for j in range(i, -1, -1):
            if self.rows[j][name] is not None:
                return self.rows[j][name] if self.seconds(j, i) <= limit else None
            if f"invalid:{name}" in self.rows[j]["quality"] or j == 0 or self.gap(j - 1) > 15 * MIN:
                return None
        return None

    def before(self, name, i):
        return max((j for j in self.seen[name] if j <= i), default=None)

    def after(self, name, i):
        return min((j for j in self.seen[name] if j >= i), default=None)

    def power(self, i):
        """Pack power at row i, kW, if the current was observed there."""
        volts, amps = self.held("pack_voltage_v", i, 30), self.rows[i]["pack_current_a"]
        return None if volts is None or amps is None else volts * amps / 1000

    def gap_change(self, name, i):
        """Change over interval i (5 minutes and more)."""
        if self.gap(i) < 5 * MIN or i + 1 == self.n:
            return None
        first, last = self.before(name, i), self.after(name, i + 1)
        if first is None or last is None or self.seconds(first, i) > 3600 or self.seconds(i + 1, last) > 300:
            return None
        return None if self.cut_between(first, last) else self.rows[last][name] - self.rows[first][name]

    # --- what the vehicle was doing --------------------------------------------------------------------------------
    def labels(self):
        """(kind, asleep, inferred) of each interval, and what each row announces."""
        driving = self.driving()
        charging = self.charging(driving)
        labels, announced = [], []
        for i in range(self.n):
            kind = self.announces(driving, charging, i)
            announced.append(kind)
            gap, soc, km = self.gap(i), self.gap_change("soc_percent", i), self.gap_change("odometer_km", i)
            inferred = False
            if math.isfinite(gap):
                if gap > 15 * MIN or (kind == "drive" and gap > 5 * MIN and km is not None and km < 0.1):
                    kind = "idle"
                if kind == "charge" and soc is not None and soc <= 0 and (self.power_held(i) or 0) * gap / 3600 >= 1:
                    kind = "idle"  # it would have shown
                if kind == "idle" and gap >= 5 * MIN:
                    if (soc or 0) >= 3 and (km or 0) <= 2:
                        kind, inferred = "charge", True
                    elif (km or 0) >= max(0.5, 5 * gap / 3600):
                        kind, inferred = "drive", True
                    under_way = announced[i] == kind and self.announces(driving, charging, i + 1) == kind
                    if inferred and gap > 15 * MIN and not under_way:
                        kind += " alone"
            labels.append((kind, math.isfinite(gap) and gap > 30 * MIN, inferred))
        return labels, announced

    def announces(self, driving, charging, i):
        return "drive" if driving[i] else "charge" if charging[i] else "idle"

    def driving(self):
        rows, n = self.rows, self.n
        in_gear = [self.held("gear", i) in ("D", "R", "N") for i in range(n)]
        moving = [(self.held("speed_kmh", i, 30) or 0) > 1 for i in range(n)]
        rolling = [False] * n
        for first, last in zip(self.seen["odometer_km"], self.seen["odometer_km"][1:], strict=False):
            km, seconds = rows[last]["odometer_km"] - rows[first]["odometer_km"], self.seconds(first, last)
            if km < 0.1 or seconds > 15 * MIN or km < 3 * seconds / 3600 or self.cut_between(first, last):
                continue
            shown = any(in_gear[i] or moving[i] for i in range(first, last))
            for i in range(first, last):
                gear_said = self.says("gear", i)
                enough = 0.5 if gear_said and not in_gear[i] else 0.1
                if (in_gear[i] or moving[i] or not shown) and km >= enough:
                    rolling[i] = True
        standing = self.long_standing([in_gear[i] and not moving[i] and not rolling[i] for i in range(n)])
        seen = [(in_gear[i] and not standing[i]) or moving[i] or rolling[i] for i in range(n)]
        if any(row[name] is not None for row in rows for name in ("gear", "speed_kmh", "odometer_km")):
            return seen
        readings = [i for i in range(n) if self.power(i) is not None]
        return self.drives_by_power(readings) if readings else self.drives_by_soc()

    def drives_by_power(self, readings):
        """No gear, speed or odometer all day: what only a moving car draws or gives back, up to 10 minutes bridged."""
        power = {i: self.power(i) for i in readings}
        moving = set()
        for k, i in enumerate(readings):
            around = [j for j in readings if power[j] < -1 and j != i]
            before = any(j < i and self.seconds(j, i) <= 60 for j in around)
            after = any(j > i and self.seconds(i, j) <= 60 for j in around)
            if power[i] < -7 or (power[i] > 0.5 and before and after):
                moving.add(i)
            for j in readings[k + 1 : k + 2]:
                if self.seconds(i, j) <= 90 and abs(power[j] - power[i]) >= 6.5 and min(power[i], power[j]) < -1:
                    moving |= {i, j}
        moving |= {i for i in range(self.n) if self.between(moving, i, 600)}
        pulled = {i for i in readings if power[i] < -2}
        linked = [i in moving or i in pulled or self.between(pulled, i, 300) for i in range(self.n)]
        result = [False] * self.n
        for i in moving:  # as far as it is linked, both ways
            for way in (range(i, -1, -1), range(i, self.n)):
                for j in itertools.takewhile(lambda j: linked[j], way):
                    result[j] = True
        for _, stretch in itertools.groupby(range(self.n), key=lambda i: linked[i]):
            rows = list(stretch)
            levels = [self.rows[i]["soc_percent"] for i in rows if self.rows[i]["soc_percent"] is not None]
            rises = bool(levels) and levels[-1] - levels[0] >= 1
            for i in rows:
                result[i] = result[i] and not rises and not self.gap(i) > 5 * MIN
        return result

    def between(self, rows, i, limit):
        """Row i lies between two of the rows that are at most so far apart."""
        before = max((j for j in rows if j < i), default=None)
        after = min((j for j in rows if j > i), default=None)
        return before is not None and after is not None and self.seconds(before, after) <= limit

    def drives_by_soc(self):
        """Nothing but SoC all day: falls by 6 % per hour and more; the first step begins late, see soc_rises."""
        seen, rows = self.seen["soc_percent"], self.rows
        changes = [
            i for k, i in enumerate(seen) if k == 0 or rows[i]["soc_percent"] != rows[seen[k - 1]]["soc_percent"]
        ]
        steps = list(itertools.pairwise(changes))
        down = [
            (rows[a]["soc_percent"] - rows[b]["soc_percent"]) * 3600 >= 6 * self.seconds(a, b)
            and self.seconds(a, b) <= 3600
            and not self.cut(b)
            for a, b in steps
        ]
        falling = [False] * self.n
        for k, (a, b) in enumerate(steps):
            length = self.seconds(a, b)
            if k == 0 or not down[k - 1]:
                follows = self.seconds(*steps[k + 1]) if k + 1 < len(steps) and down[k + 1] else 300
                length = min(length, follows)
            for i in range(a, b):
                falling[i] = down[k] and self.seconds(i, b) <= length
        return [falling[i] and self.held("charge_state", i) not in ("charging", "starting") for i in range(self.n)]

    def power_held(self, i):
        volts, amps = self.held("pack_voltage_v", i), self.held("pack_current_a", i)
        return None if volts is None or amps is None else volts * amps / 1000

    def between_drives(self, driving, i):
        """Recuperation: at most 5 minutes from the driving before to the driving after."""
        return self.between([j for j in range(self.n) if driving[j]], i, 5 * MIN)

    def says(self, name, i):
        """Whether the signal was sent, usable or invalid, without 15 minutes of silence since."""
        for j in range(i, -1, -1):
            if self.rows[j][name] is not None or f"invalid:{name}" in self.rows[j]["quality"]:
                return True
            if j == 0 or self.gap(j - 1) > 15 * MIN:
                return False
        return False

    def long_standing(self, candidate):
        still = []
        for i in range(self.n):
            speed = None
            for j in range(i, -1, -1):
                if self.rows[j]["speed_kmh"] is not None or "invalid:speed_kmh" in self.rows[j]["quality"]:
                    speed = (self.rows[j]["speed_kmh"],)
                    break
                if j == 0 or self.gap(j - 1) > 15 * MIN:
                    break
            still.append(candidate[i] and speed is not None and not (speed[0] or 0) > 1)
        if not any(row["speed_kmh"] is not None for row in self.rows):
            return [False] * self.n
        result, i = [False] * self.n, 0
        while i < self.n:
            last = i
            while last + 1 < self.n and still[last + 1] == still[i]:
                last += 1
            length = sum(self.gap(j) for j in range(i, last + 1) if math.isfinite(self.gap(j)))
            if still[i] and length > 5 * MIN:
                result[i : last + 1] = [True] * (last + 1 - i)
            i = last + 1
        return result

    def charging(self, driving):
        n, rows = self.n, self.rows
        readings = [i for i in range(n) if self.power(i) is not None]
        strong = {i: self.power(i) > 0.5 and not driving[i] for i in readings}
        confirmed = set()
        for k, i in enumerate(readings):
            near = [readings[m] for m in (k - 1, k + 1) if 0 <= m < len(readings)]
            if strong[i] and any(strong[j] for j in near):
                confirmed.add(i)
        counting = [False] * n
        counted = self.seen["charge_energy_kwh"]
        for first, last in itertools.pairwise(counted):
            rise = rows[last]["charge_energy_kwh"] - rows[first]["charge_energy_kwh"]
            if rise >= 0.02 and self.seconds(first, last) <= 15 * MIN:
                counting[first:last] = [True] * (last - first)
        rising = self.soc_rises(driving)
        result = []
        for i in range(n):
            state = self.held("charge_state", i)
            power = self.power_held(i)
            fresh = self.held("pack_current_a", i, 90) is not None
            nothing = power is not None and power <= 0.1 and (fresh or not counting[i])
            by_state = state in ("charging", "starting") and not nothing
            by_power = self.last_reading(readings, i) in confirmed and not self.between_drives(driving, i)
            dc = (self.held("charger_dc_power_kw", i, 30) or 0) > 0.5
            by_measure = state is None and (dc or counting[i])
            by_soc = state is None and power is None and rising[i]
            result.append((by_state or by_power or by_measure or by_soc) and not driving[i])
        return result

    def soc_rises(self, driving):
        """Intervals of a rise from one change of SoC to the next, at most 1 h, standing; a first step is cut."""
        seen, rows = self.seen["soc_percent"], self.rows
        changes = [
            i for k, i in enumerate(seen) if k == 0 or rows[i]["soc_percent"] != rows[seen[k - 1]]["soc_percent"]
        ]
        steps = list(itertools.pairwise(changes))
        up = [
            rows[b]["soc_percent"] > rows[a]["soc_percent"]
            and self.seconds(a, b) <= 3600
            and not any(driving[a:b])
            and not self.cut(b)
            for a, b in steps
        ]
        rising = [False] * self.n
        for k, (a, b) in enumerate(steps):
            length = self.seconds(a, b)
            if k == 0 or not up[k - 1]:
                length = min(length, self.seconds(*steps[k + 1]) if k + 1 < len(steps) and up[k + 1] else 900)
            for i in range(a, b):
                rising[i] = up[k] and self.seconds(i, b) <= length and not self.rolls(i)
            if k == len(steps) - 1 and up[k] and self.to_midnight() <= 15 * MIN:
                for i in range(b, self.n):  # the rise goes on into the night
                    rising[i] = self.seconds(b, i) <= length and not any(driving[b : i + 1]) and not self.rolls(i)
        return rising

    def to_midnight(self):
        return (self.midnight + timedelta(days=1) - self.rows[-1]["time"]).total_seconds()

    def rolls(self, i):
        """The odometer readings around interval i lie more than 0.2 km apart."""
        first, last = self.before("odometer_km", i), self.after("odometer_km", i + 1)
        if first is None or last is None:
            return False
        return self.rows[last]["odometer_km"] - self.rows[first]["odometer_km"] > 0.2

    def last_reading(self, readings, i):
        for j in range(i, -1, -1):
            if j in readings:
                return j
            if "invalid:pack_current_a" in self.rows[j]["quality"] or j == 0 or self.gap(j - 1) > 15 * MIN:
                return None
        return None

    # --- pieces ----------------------------------------------------------------------------------------------------
    def pieces(self):
        labels, announced = self.labels()
        labels[-1] = (announced[-1], False, False)
        kinds = [kind for kind, _, _ in labels]
        kinds = self.merged(kinds)
        pieces = self.cut_up(kinds, labels)
        for piece in pieces:
            if not self.kept(piece):
                for i in range(piece["first"], piece["end"] if piece["end"] > piece["first"] else piece["end"] + 1):
                    kinds[i] = "idle"
                if piece["last"]:
                    kinds[-1] = "idle"
        return self.cut_up(kinds, labels)

    def runs(self, values):
        """(first, end row) of runs of equal values between cuts; the end row is the next run's first, or the last."""
        starts = [i for i in range(self.n) if i == 0 or values[i] != values[i - 1] or self.cut(i)]
        return [(a, b) for a, b in zip(starts, [*starts[1:], self.n - 1], strict=True)]

    def merged(self, kinds):
        runs, result = self.runs(kinds), list(kinds)
        for (a, _), (b, b_end), (c, _) in zip(runs, runs[1:], runs[2:], strict=False):
            if kinds[b] != "idle" or kinds[a] != kinds[c] or self.cut(b) or self.cut(c):
                continue
            states = [self.held("charge_state", i) for i in range(b, c)]
            plugged = any(state is not None and state != "disconnected" for state in states)
            unplugged = any(state == "disconnected" for state in states)
            pause = self.seconds(b, b_end)
            if kinds[a] == "drive" and pause <= 5 * MIN:
                result[b:c] = ["drive"] * (c - b)
            if kinds[a] == "charge" and not unplugged and pause <= (15 * MIN if plugged else 5 * MIN):
                result[b:c] = ["charge"] * (c - b)
        return result

    def cut_up(self, kinds, labels):
        asleep = [labels[i][1] and kinds[i] == "idle" for i in range(self.n)]
        if self.n > 1:
            asleep[-1] = asleep[-2] and kinds[-1] == kinds[-2]
        runs = self.runs(list(zip(kinds, asleep, strict=True)))
        if len(runs) > 1 and runs[-1][0] == self.n - 1 and kinds[-1] == kinds[-2]:
            runs[-2:] = [(runs[-2][0], self.n - 1)]
        drives = [kind.startswith("drive") for kind in kinds]
        pieces = []
        for k, (a, b) in enumerate(runs):
            following = None
            if k + 1 < len(runs):
                stop = runs[k + 1][1] if k + 2 < len(runs) else self.n
                following = (kinds[b].removesuffix(" alone"), stop)
            pieces.append(self.figures(a, b, kinds[a], asleep[a], k == len(runs) - 1, drives, following))
        offset = self.offset(pieces)
        for piece in pieces:
            last_row = self.last_row(piece)
            piece["energy_kwh"], piece["energy_method"] = self.energy(piece, last_row, offset)
        return pieces

    def offset(self, pieces):
        """Offset of the current sensor in A: least squares with priors over all pieces that power covers; 0 if unclear.

        power integral = capacity x change of SoC + offset x voltage x time
        """
        mean, sd = (self.usable_kwh * 0.93, self.usable_kwh * 0.12) if self.usable_kwh else (55.0, 40.0)
        ends = [piece[name] for piece in pieces for name in ("soc_start", "soc_end") if piece[name] is not None]
        soc_sd = (0.4 if all(value % 1 == 0 for value in ends) else 0.15) / 100 * math.sqrt(2) * mean
        ss, xx, sx, sy, xy = 1 / sd**2, 1.0, 0.0, mean / sd**2, 0.0
        for piece in pieces:
            kwh, covered, volts = self.integral(piece, self.last_row(piece))
            if (
                covered < 300
                or covered < 0.8 * piece["seconds"]
                or piece["soc_start"] is None
                or piece["soc_end"] is None
            ):
                continue
            y, x = kwh * piece["seconds"] / covered, volts * piece["seconds"] / covered
            s = (piece["soc_end"] - piece["soc_start"]) / 100
            weight = 1 / (soc_sd**2 + (0.02 * y) ** 2)
            ss, xx, sx = ss + s * s * weight, xx + x * x * weight, sx + s * x * weight
            sy, xy = sy + s * y * weight, xy + x * y * weight
        determinant = ss * xx - sx**2
        offset = (ss * xy - sx * sy) / determinant
        return offset if abs(offset) >= max(0.3, 2.5 * math.sqrt(ss / determinant)) else 0.0

    def kept(self, piece):
        seconds = piece["seconds"]
        reach = {"drive": 5 * MIN, "charge": 15 * MIN, "idle": math.inf}[piece["kind"]]
        after_start = (piece["start"] - self.midnight).total_seconds()
        before_end = 86_400 - (piece["end_time"] - self.midnight).total_seconds()
        if after_start <= reach or before_end <= reach or piece["last"]:
            return True
        rise = (piece["soc_end"] or 0) - (piece["soc_start"] or 0) if piece["soc_end"] is not None else 0
        only_soc = not any(self.seen[name] for name in ("odometer_km", "pack_current_a", "charge_energy_kwh"))
        only_soc = only_soc and not any(row["gear"] or row["charge_state"] for row in self.rows)
        only_soc = only_soc and not any(row["speed_kmh"] is not None for row in self.rows)
        if piece["kind"] == "drive":
            enough = (piece["distance_km"] or 0) >= 0.5 or seconds >= 2 * MIN
            return enough and (not only_soc or rise <= -2)
        if only_soc and piece["soc_start"] % 1 == 0 and piece["soc_end"] % 1 == 0:
            return seconds >= 3 * MIN and rise >= 3
        return seconds >= 3 * MIN and (rise >= 1 or ((piece["energy_kwh"] or 0) >= 0.3 and rise > -1))

    # --- figures ---------------------------------------------------------------------------------------------------
    def figures(self, first, end, kind, asleep, last, drives, following):
        last_row = end - 1 if self.cut(end) and end > first else end
        kind = kind.removesuffix(" alone")
        piece = {"vin": self.vin, "kind": kind, "asleep": asleep, "first": first, "end": end, "last": last}
        piece["following"] = following
        piece |= {"start": self.rows[first]["time"], "end_time": self.rows[end]["time"]}
        piece["seconds"] = self.seconds(first, end)
        for name, label in (("soc_percent", "soc"), ("odometer_km", "odometer")):
            start = self.reading(name, first, 3600, drives)
            inside = [j for j in self.seen[name] if first <= j <= last_row]
            start = start if start is not None else min(inside, default=None)
            stop = self.reading(name, last_row, 300 if kind == "drive" else 3600, drives)
            stop = stop if stop is not None else max(inside, default=None)
            piece[f"{label}_start"] = None if start is None else self.rows[start][name]
            piece[f"{label}_end"] = None if stop is None else self.rows[stop][name]
        km = None
        if piece["odometer_start"] is not None and piece["odometer_end"] is not None:
            km = piece["odometer_end"] - piece["odometer_start"]
        piece["distance_km"] = km
        return piece

    def reading(self, name, at, limit, drives):
        first, last = self.before(name, at), self.after(name, at)
        first = None if first is None or self.cut_between(first, at) else first
        last = None if last is None or self.cut_between(at, last) else last
        if name == "odometer_km":
            if first is not None and not self.lost_between(first, at) and not any(drives[first:at]):
                return first
            if last is not None and not self.lost_between(at, last) and not any(drives[at:last]):
                return last
        if first is not None and self.seconds(first, at) > limit:
            first = None
        if last is not None and self.seconds(at, last) > 300:
            last = None
        if first is not None and (not self.lost_between(first, at) or last is None):
            return first
        return last

    def energy(self, piece, last_row, offset):
        if piece["kind"] == "charge":
            counted = self.counted(piece)
            if counted is not None:
                return counted, "counter"
        kwh, covered, volts = self.integral(piece, last_row)
        kwh -= offset * volts
        if piece["seconds"] > 0 and covered / piece["seconds"] >= 0.8:
            return kwh / (covered / piece["seconds"]), "power_integral"
        if piece["soc_start"] is not None and piece["soc_end"] is not None and self.usable_kwh:
            return (piece["soc_end"] - piece["soc_start"]) / 100 * self.usable_kwh, "soc_capacity"
        return None, "none"

    def integral(self, piece, last_row):
        readings = [i for i in range(self.n) if self.power(i) is not None]
        kwh = covered = volts = 0.0
        for a, b in itertools.pairwise(readings):
            in_piece = piece["first"] <= a and (a < piece["end"] or piece["last"]) and b <= last_row
            if in_piece and self.seconds(a, b) <= 30:
                belongs_to_next = b == piece["end"] and not piece["last"]
                mean = self.power(a) if belongs_to_next else (self.power(a) + self.power(b)) / 2
                kwh += mean * self.seconds(a, b) / 3600
                covered += self.seconds(a, b)
                volts += self.held("pack_voltage_v", a, 30) / 1000 * self.seconds(a, b) / 3600
        return kwh, covered, volts

    def counted(self, piece):
        """kWh that the battery-side counter rose, readings up to 5 minutes after the end included."""
        seen = self.seen["charge_energy_kwh"]
        kwh, top, base = 0.0, None, None
        for k, j in enumerate(seen):
            value = self.rows[j]["charge_energy_kwh"]
            reset = k > 0 and value < self.rows[seen[k - 1]]["charge_energy_kwh"] * 0.5
            rise = 0.0 if top is None else value if reset else max(0.0, value - top)
            top = value if top is None or reset else max(top, value)
            inside = piece["first"] < j <= piece["end"]
            tail = j > piece["end"] and self.seconds(piece["end"], j) <= 300 and self.in_tail(piece, j)
            if inside or tail:
                kwh += rise
            if j <= piece["first"]:
                base = j
        first_inside = min((j for j in seen if piece["first"] <= j <= self.last_row(piece)), default=None)
        missing = 0.0
        if base is None:
            missing = math.inf if first_inside is None else self.seconds(piece["first"], first_inside)
        coverage = 1 - missing / piece["seconds"] if piece["seconds"] else -math.inf
        return kwh / coverage if kwh > 0 and coverage >= 0.8 else None

    def last_row(self, piece):
        return piece["end"] - 1 if self.cut(piece["end"]) and piece["end"] > piece["first"] else piece["end"]

    def in_tail(self, piece, j):
        """The interval before row j lies in the piece right after this one, and that is no charge."""
        following = piece["following"]
        return following is not None and following[0] != "charge" and piece["end"] <= j - 1 < following[1]
