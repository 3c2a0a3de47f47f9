"""Cleaning once more, plain and slow: one vehicle and provider at a time, Python loops over pandas rows.

Written from the rules, not from the product's code; the catalogue (data) is shared, nothing else. Read this to know
what cleaning does.
"""

from __future__ import annotations

import math
from collections import Counter
from itertools import pairwise

import pandas as pd
import pyarrow as pa

from ev_platform.signals import catalogue

ARRIVAL = ["event_time_ns", "source_ts", "partition", "offset", "received_at", "record_hash"]


def clean(compressed: pa.Table, vehicles: pa.Table) -> tuple[pd.DataFrame, dict]:
    """Wide rows and counts {(vin, rule, signal): n}."""
    frame = compressed.to_pandas()
    usable = dict(zip(vehicles["vin"].to_pylist(), vehicles["usable_new_kwh"].to_pylist(), strict=True))
    counts: Counter = Counter()
    rows = []
    for (vin, provider), part in frame.groupby(["vin", "provider"], sort=True):
        rows += _clean_one(vin, provider, part, usable.get(vin), counts)
    columns = ["vin", "time", "provider", *catalogue().signals, "quality"]
    table = pd.DataFrame(rows, columns=columns).sort_values(["vin", "time", "provider"], ignore_index=True)
    return table, {key: n for key, n in counts.items() if n}


def _clean_one(vin, provider, part, usable_kwh, counts) -> list[dict]:
    rows = _wide(vin, provider, _cells(vin, provider, part, counts))

    def null(rule, name, row):
        if row[name] is not None:
            row[name] = None
            flag(rule, name, row)

    def flag(rule, name, row):
        row["quality"].add(f"{rule}:{name}")
        counts[(vin, rule, name)] += 1

    _ranges(rows, usable_kwh, null)
    _voltage_level(rows, null)
    _reversed(rows, flag)
    _power(rows, null)
    _zero_soc(rows, null)
    stale = _stale_heads(rows)
    counts[(vin, "stale_head", "row")] += len(stale)
    rows = [row for i, row in enumerate(rows) if i not in stale]
    for name in ("soc_percent", "odometer_km"):
        _spikes(rows, name, null)
    _odometer(rows, null)
    for name in ("soc_percent", "odometer_km"):
        _jumps(rows, name, flag)
    _stuck_soc(rows, flag)
    _stuck_odometer(rows, flag)
    for row in rows:
        row["quality"] = sorted(row["quality"])
    return rows


def _wide(vin, provider, cells) -> list[dict]:
    rows = []
    for time in sorted({time for time, _ in cells}):
        row = {"vin": vin, "time": time, "provider": provider, "quality": set()}
        for name in catalogue().signals:
            state, value = cells.get((time, name), ("none", None))
            row[name] = value if state == "ok" else None
            if state == "invalid":
                row["quality"].add(f"invalid:{name}")
        rows.append(row)
    return rows


def _ranges(rows, usable_kwh, null) -> None:
    for row in rows:
        for name, signal in catalogue().signals.items():
            value = row[name]
            if signal.kind == "double" and value is not None:
                too_low = value < signal.minimum or (signal.minimum_open and value == signal.minimum)
                too_high = value > signal.maximum or (signal.maximum_open and value == signal.maximum)
                if too_low or too_high:
                    null("range", name, row)
        if usable_kwh and (row["battery_energy_kwh"] or 0) > 1.15 * usable_kwh:
            null("energy_above_capacity", "battery_energy_kwh", row)


def _voltage_level(rows, null) -> None:
    readings = [row["pack_voltage_v"] for row in rows if row["pack_voltage_v"] is not None]
    if len(readings) < 10:
        return
    level = pd.Series(readings).median()
    for row in rows:
        if row["pack_voltage_v"] is not None and not 0.52 * level <= row["pack_voltage_v"] <= 1.35 * level:
            null("voltage_level", "pack_voltage_v", row)


def _reversed(rows, flag) -> None:
    """Turn the current of a day on which it runs against SoC, step by step from one whole percent of SoC to another."""
    seen = _observed(rows, "soc_percent")
    whole = {i: math.floor(rows[i]["soc_percent"]) for i in seen}
    changes = [i for k, i in enumerate(seen) if k == 0 or whole[i] != whole[seen[k - 1]]]
    amps = _observed(rows, "pack_current_a")
    steps = []
    for first, last in pairwise(changes):
        ah = covered = 0.0
        for a, b in pairwise(amps):
            if first <= a < last and _seconds(rows, a, b) <= 60:
                ah += rows[a]["pack_current_a"] * _seconds(rows, a, b) / 3600
                covered += _seconds(rows, a, b)
        if covered >= 0.5 * _seconds(rows, first, last):
            steps.append((rows[last]["soc_percent"] - rows[first]["soc_percent"], ah))
    if len(steps) < 3 or sum(abs(soc) for soc, _ in steps) < 5:
        return
    spread = math.sqrt(sum(soc**2 for soc, _ in steps) * sum(ah**2 for _, ah in steps))
    if spread and sum(soc * ah for soc, ah in steps) / spread <= -0.7:
        for i in amps:
            rows[i]["pack_current_a"] *= -1
            flag("reversed", "pack_current_a", rows[i])


def _power(rows, null) -> None:
    for row in rows:
        if row["pack_voltage_v"] is not None and row["pack_current_a"] is not None:
            kw = row["pack_voltage_v"] * row["pack_current_a"] / 1000
            if kw < -500 or kw > 350:
                null("power_range", "pack_current_a", row)


def _jumps(rows, name, flag) -> None:
    seen, whole = _observed(rows, name), _whole(rows, name)
    for before, after in pairwise(seen):
        if _infeasible(rows, name, before, after, whole):
            flag("jump", name, rows[after])


def _cells(vin, provider, part, counts) -> dict:
    """{(time, canonical name): (state, value)}, the last arrival of every cell."""
    known = catalogue()
    candidates: dict = {}
    for _, sent in part.iterrows():
        if sent["signal"] is None or pd.isna(sent["signal"]):
            continue
        mapped = known.mapping.get((provider, sent["signal"]))
        if mapped is None:
            counts[(vin, "unmapped", sent["signal"])] += 1
            continue
        state, value, rule = _value(known, mapped, sent)
        if rule:
            counts[(vin, rule, mapped.canonical)] += 1
        arrival = (-mapped.priority, *(_sortable(sent[name]) for name in ARRIVAL), state, _sortable(value))
        candidates.setdefault((sent["event_time"], mapped.canonical), []).append((arrival, state, value))
    cells = {}
    for (time, name), found in candidates.items():
        found.sort(key=lambda one: one[0])
        _, state, value = found[-1]
        cells[(time, name)] = (state, value)
        for _, other_state, other in found[:-1]:
            same = other_state == state and other == value
            counts[(vin, "repeat" if same else "superseded", name)] += 1
    return cells


def _sortable(value):
    if value is None or value is pd.NaT or (isinstance(value, float) and math.isnan(value)):
        return (0, "")
    return (1, value) if not isinstance(value, bool) else (1, int(value))


def _value(known, mapped, sent):
    """State, value and the rule that applied (None where nothing happened)."""
    kind = known.signals[mapped.canonical].kind
    number = None if pd.isna(sent["number"]) else float(sent["number"])
    text = None if pd.isna(sent["text"]) else str(sent["text"])
    if sent["status"] in ("invalid", "missing"):
        return "invalid", None, sent["status"]
    if sent["status"] != "ok":
        return "nulled", None, sent["status"]
    if kind == "double":
        return _double(known, mapped, number, text, None if pd.isna(sent["unit"]) else sent["unit"])
    if kind == "boolean":
        if number is not None:
            return "ok", number != 0, None
        meaning = {
            "true": True,
            "1": True,
            "yes": True,
            "on": True,
            "false": False,
            "0": False,
            "no": False,
            "off": False,
        }
        value = meaning.get((text or "").lower())
        return ("nulled", None, "unreadable") if value is None else ("ok", value, None)
    return _word(known, mapped, text if text is not None else None if number is None else f"{number:g}", kind)


def _double(known, mapped, number, text, sent_unit):
    if number is None and text is not None:
        try:
            number = float(text.strip())
        except ValueError:
            return "nulled", None, "unreadable"
    if number is None:
        return "nulled", None, "unreadable"
    if not math.isfinite(number):
        return "invalid", None, "not_finite"
    if any(number == float(word) for word in mapped.sentinels):
        return "invalid", None, "sentinel"
    unit = known.units.get(sent_unit or mapped.unit)
    if unit is None or unit.canonical_unit != known.signals[mapped.canonical].unit:
        return "nulled", None, "unknown_unit"
    return "ok", number * (unit.factor * mapped.factor) + unit.offset * mapped.factor, None


def _word(known, mapped, raw, kind):
    if raw is not None and raw in mapped.sentinels:
        return "invalid", None, "sentinel"
    if kind == "text":
        return ("invalid", None, "unknown_word") if raw is None else ("ok", raw, None)
    bare = (raw or "").strip()
    for prefix in mapped.prefixes:
        if bare.startswith(prefix) and bare != prefix:
            bare = bare[len(prefix) :]
            break
    word = known.words.get((mapped.canonical, bare.lower()))
    if word is None:
        return "invalid", None, "unknown_word"
    return ("invalid", None, "invalid") if word == "invalid" else ("ok", word, None)


def _observed(rows, name) -> list[int]:
    return [i for i, row in enumerate(rows) if row[name] is not None]


def _whole(rows, name) -> bool:
    return all(rows[i][name] % 1 == 0 for i in _observed(rows, name))


def _infeasible(rows, name, before, after, whole) -> bool:
    signal = catalogue().signals[name]
    hours = (rows[after]["time"] - rows[before]["time"]).total_seconds() / 3600
    step = rows[after][name] - rows[before][name]
    rate = signal.max_rise_per_h if step > 0 else signal.max_fall_per_h
    return abs(step) > rate * hours + signal.step_tolerance + (1.0 if whole else 0.0)


def _seconds(rows, first, last) -> float:
    return (rows[last]["time"] - rows[first]["time"]).total_seconds()


def _zero_soc(rows, null) -> None:
    seen = [i for i in _observed(rows, "soc_percent") if rows[i]["soc_percent"] != 0]
    voltages = []
    held, held_at = None, None
    hold: list = []
    for i, row in enumerate(rows):
        if row["pack_voltage_v"] is not None:
            held, held_at = row["pack_voltage_v"], i
        fresh = held_at is not None and _seconds(rows, held_at, i) <= 30
        hold.append(held if fresh else None)
        if fresh and row["soc_percent"] is not None and row["soc_percent"] >= 20:
            voltages.append(held)
    level = pd.Series(voltages).median() * 0.95 if voltages else math.inf
    for i in [i for i in _observed(rows, "soc_percent") if rows[i]["soc_percent"] == 0]:
        before = max((j for j in seen if j < i), default=None)
        after = min((j for j in seen if j > i), default=None)
        age_before = math.inf if before is None else _seconds(rows, before, i)
        age_after = math.inf if after is None else _seconds(rows, i, after)
        nearest = before if age_before <= age_after else after
        far_from_empty = nearest is None or rows[nearest]["soc_percent"] > 5
        mid_pack = hold[i] is not None and hold[i] >= level
        if far_from_empty or mid_pack:
            null("soc_zero", "soc_percent", rows[i])


def _stale_heads(rows) -> set[int]:
    return _stale_by(rows, "soc_percent", "odometer_km") | _stale_by(rows, "odometer_km", "soc_percent")


def _stale_by(rows, name, other) -> set[int]:
    seen, whole = _observed(rows, name), _whole(rows, name)
    stale: set[int] = set()

    def contradicted(k):
        """Infeasible step from the k-th observation to the next, consistent afterwards."""
        if k + 1 >= len(seen) or not _infeasible(rows, name, seen[k], seen[k + 1], whole):
            return False
        return k + 2 >= len(seen) or not _infeasible(rows, name, seen[k + 1], seen[k + 2], whole)

    def gap_between(first, last):
        return any(_seconds(rows, i - 1, i) > 60 for i in range(first + 1, last + 1))

    def held(i):
        return next((rows[j][other] for j in range(i, -1, -1) if rows[j][other] is not None), None)

    for k, i in enumerate(seen):
        if k:
            previous = seen[k - 1]
            now, then = held(i), held(previous)
            same = rows[i][name] == rows[previous][name] and (now is None or then is None or now == then)
            if not same or not gap_between(previous, i):
                continue
        if contradicted(k):
            stale.add(i)
        follows = seen[k + 1] if k + 1 < len(seen) else i
        if (
            follows != i
            and rows[follows][name] == rows[i][name]
            and not gap_between(i, follows)
            and contradicted(k + 1)
        ):
            stale |= {i, follows}
    return stale


def _spikes(rows, name, null) -> None:
    seen, whole = _observed(rows, name), _whole(rows, name)
    wrong = [
        i
        for before, i, after in zip(seen, seen[1:], seen[2:], strict=False)
        if _infeasible(rows, name, before, i, whole)
        and _infeasible(rows, name, i, after, whole)
        and not _infeasible(rows, name, before, after, whole)
    ]
    for i in wrong:
        null("spike", name, rows[i])


def _odometer(rows, null) -> None:
    """Keep a longest chain that never decreases, grown from the last reading back; null the rest."""
    seen = _observed(rows, "odometer_km")
    values = [rows[i]["odometer_km"] for i in seen]
    if all(a <= b for a, b in pairwise(values)):
        return
    chains: list[
        list[int]
    ] = []  # chains[n]: positions, latest first, of the chain of n + 1 readings that starts highest
    for position in reversed(range(len(values))):
        length = 0
        while length < len(chains) and values[chains[length][-1]] >= values[position]:
            length += 1
        chain = [*(chains[length - 1] if length else []), position]
        if length == len(chains):
            chains.append(chain)
        else:
            chains[length] = chain
    for position, i in enumerate(seen):
        if position not in chains[-1]:
            null("odometer_decrease", "odometer_km", rows[i])


def _spans(rows, name) -> list[tuple[int, int]]:
    """First and last row of runs of equal consecutive observations."""
    seen = _observed(rows, name)
    spans: list[list[int]] = []
    for i in seen:
        if spans and rows[spans[-1][1]][name] == rows[i][name]:
            spans[-1][1] = i
        else:
            spans.append([i, i])
    return [(a, b) for a, b in spans if b > a]


def _stuck_soc(rows, flag) -> None:
    for first, last in _spans(rows, "soc_percent"):
        if _seconds(rows, first, last) <= 1800:
            continue
        powers = []
        for i in range(first, last + 1):
            volts = [j for j in range(i + 1) if rows[j]["pack_voltage_v"] is not None and _seconds(rows, j, i) <= 30]
            if volts and rows[i]["pack_current_a"] is not None:
                powers.append(abs(rows[volts[-1]]["pack_voltage_v"] * rows[i]["pack_current_a"] / 1000))
        if powers and pd.Series(powers).median() > 3:
            for i in range(first, last + 1):
                flag("stuck", "soc_percent", rows[i])


def _stuck_odometer(rows, flag) -> None:
    speeds = _observed(rows, "speed_kmh")
    for first, last in _spans(rows, "odometer_km"):
        km = 0.0
        for before, after in pairwise(speeds):
            if first < after <= last and rows[before]["speed_kmh"] > 5:
                km += rows[before]["speed_kmh"] * min(_seconds(rows, before, after), 30) / 3600
        if km > 5:
            for i in range(first, last + 1):
                flag("stuck", "odometer_km", rows[i])
