"""The one table of what providers allow, refuse and send: limits, messages, odd shapes. The servers read it.

Each row names where it is known from: a line of the facts sheet (facts/providers.md, kept beside the project), with its
words in short; docs/providers.md says how sure it is. A test per row shows that a careless client fails against it.
"""

from __future__ import annotations

from typing import Any, NamedTuple


class Rule(NamedTuple):
    """One limit or shape."""

    provider: str
    name: str
    value: Any
    line: int
    """Of facts/providers.md."""
    source: str


RULES: tuple[Rule, ...] = (
    Rule("high_mobility", "token_life_s", 300, 145, "High Mobility, token: expires_in 300, five-minute tokens"),
    Rule("high_mobility", "approved_only", 403, 146, "High Mobility, fleet clearance: status approved; error 403"),
    Rule("high_mobility", "percent_is_fraction", 0.01, 149, "High Mobility, shapes: percentage = number 0.0 to 1.0"),
    Rule("high_mobility", "unit_in_payload", "miles", 149, "High Mobility, shapes: convert by unit, never assume"),
    Rule("high_mobility", "failure_object", "oem_error", 149, "High Mobility, shapes: failure may replace data"),
    Rule("high_mobility", "repeats_old_times", True, 148, "High Mobility, data: last known state, old times repeat"),
    Rule("bmw", "daily_requests", 50, 180, "BMW CarData: 50 requests per day per user, over it CU-429"),
    Rule("bmw", "version_header", "v1", 178, "BMW CarData: header x-version: v1"),
    Rule("bmw", "token_life_s", 3600, 178, "BMW CarData: access and ID tokens live 1 h"),
    Rule("bmw", "refresh_rotates", True, 178, "BMW CarData: a refresh returns new access, refresh and ID tokens"),
    Rule("bmw", "primary_only", 403, 179, "BMW CarData, mappings: only PRIMARY readable"),
    Rule("bmw", "values_are_text", True, 181, "BMW CarData, telematicData: value, unit and timestamp are strings"),
    Rule("bmw", "sentinels", ("INVALID", "-NA-"), 194, "BMW CarData: value sentinels INVALID, -NA-"),
    Rule("bmw", "power_in_watts", 1000, 193, "BMW CarData, descriptors: charging.power in W"),
    Rule("bmw", "most_containers", 10, 179, "BMW CarData, containers: max 10"),
    Rule("bmw", "pkce", True, 178, "BMW CarData: device code flow with PKCE"),
    Rule("mobilisights", "token_needed", 401, 206, "Mobilisights: login gives {authToken}"),
    Rule("mobilisights", "a_car_a_line", True, 206, "Mobilisights: streamed array, one state per line, trailing comma"),
    Rule("mobilisights", "percentage_is_text", True, 207, "Mobilisights: level.percentage string or number"),
    Rule("mobilisights", "absent_is_empty", True, 207, "Mobilisights: remainingTime may be {}"),
    Rule("mobilisights", "unit_in_payload", "mi", 207, "Mobilisights: units in the payload, km or mi"),
    Rule("mobilisights", "sending_time_differs", True, 218, "Mobilisights: leave sending times out of unchanged tests"),
    Rule(
        "tesla_rest",
        "requests_per_minute",
        60,
        140,
        "Tesla REST: 60/min per device and account, 429 + Retry-After",
    ),
    Rule("tesla_rest", "token_life_s", 28_800, 141, "Tesla REST: access token life 8 h"),
    Rule("tesla_rest", "refresh_once", 401, 141, "Tesla REST: refresh tokens are single use and rotate"),
    Rule("tesla_rest", "last_used_hours", 24, 141, "Tesla REST: the last used refresh token stays valid up to 24 h"),
    Rule("tesla_rest", "asleep", 408, 139, "Tesla REST: 408 asleep or unreachable"),
    Rule("tesla_rest", "invalid_word", "<invalid>", 127, "Tesla REST: fast_charger_type, string sentinel <invalid>"),
    Rule("tesla_rest", "power_sign", -1, 128, "Tesla REST: drive_state.power negative = charging"),
    Rule("tesla_rest", "block_time_ms", 1, 127, "Tesla REST: timestamp in ms epoch"),
    Rule("tesla_rest", "gps_time_s", 1000, 128, "Tesla REST: gps_as_of in seconds"),
    Rule("tesla_rest", "miles", 1.609344, 127, "Tesla REST: odometer and ranges in miles"),
    Rule("tesla_rest", "wrong_region", 421, 139, "Tesla REST: 421 wrong region"),
)

_VALUES = {(rule.provider, rule.name): rule.value for rule in RULES}


def rule(provider: str, name: str) -> Any:  # noqa: ANN401 - a number, a word, a flag
    """The value of one row."""
    return _VALUES[provider, name]
