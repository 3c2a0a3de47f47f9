"""What the real portals do, one line each, with the section and line of the facts sheet (facts/open_data.md) for it.

The stand-in servers read limits and messages from here; a test goes through the table and sees each habit happen.
"""

from __future__ import annotations

from typing import NamedTuple

RECORDS_MOST = 100
RECORDS_DEFAULT = 10
OFFSET_MOST = 10_000
LINES_MOST = 10_000
LINES_DEFAULT = 12
AGG_MOST = 1_000
REQUESTS_PER_MINUTE = 600

BAD_LIMIT = "Invalid value for limit API parameter: {value} was found but -1 <= limit <= 100 is expected."
BAD_WINDOW = "Invalid value for sum of offset + limit API parameter: {value} was found but <= 10000 is expected."
BAD_PARAMETER = "InvalidRESTParameterError"
BAD_QUERY = "ODSQLError"
TOO_MANY = {
    "errorcode": 10002,
    "limit_time_unit": "day",
    "call_limit": 10000,
    "error": "Too many requests on the domain. Please contact the domain administrator.",
}


class Habit(NamedTuple):
    """One thing that a portal or its data do."""

    name: str
    where: str
    facts: str
    """Section."""
    line: int
    """Of facts/open_data.md."""
    what: str


HABITS = (
    Habit("records_limit", "explore", "1.1", 34, "limit above 100 on records: 400 with BAD_LIMIT"),
    Habit("records_window", "explore", "1.1", 34, "offset + limit above 10,000: 400 with BAD_WINDOW"),
    Habit("unordered_records", "explore", "0.2", 248, "records without order_by: another order from each replica"),
    Habit("export_offset", "explore", "1.1", 37, "an export with an offset answers 200 and fails inside the stream"),
    Habit("cut_stream", "explore", "1.5", 69, "a stream breaks midway"),
    Habit("too_many_requests", "explore", "1.1", 41, "429 with errorcode 10002, reset_time and Retry-After"),
    Habit("csv_export", "explore", "1.1", 30, "CSV exports: BOM, semicolons, CRLF"),
    Habit("timezone", "explore", "1.1", 40, "times in UTC by default, in another zone on request"),
    Habit("odsql_error", "explore", "1.1", 41, "a where clause that is none: 400 ODSQLError"),
    Habit("missing_dataset", "explore", "1.1", 41, "404 for a dataset that moved"),
    Habit("line_size", "data_fair", "1.2", 48, "size above 10,000 is refused"),
    Habit("link_cursor", "data_fair", "1.2", 50, "the next page stands in the Link header (csv) or in `next` (json)"),
    Habit("total_other", "data_fair", "1.2", 52, "sums over more than 1,000 values leave some out: total_other"),
    Habit("data_updated_at", "data_fair", "1.2", 47, "dataUpdatedAt tells whether rows changed"),
    Habit("data_fair_429", "data_fair", "1.2", 53, "429 beyond 600 requests a minute"),
    Habit("compat_export_offset", "compat", "1.3", 57, "Data Fair's compatible layer refuses an export's offset: 400"),
    Habit("renamed_address_fields", "data_fair", "2.2", 90, "…_de_l_adresse_mwh became …_de_ladresse_mwh"),
    Habit("future_rows", "data", "2.1", 84, "real-time rows of the future, without consumption"),
    Habit("spring_twins", "data", "E6", 108, "spring: 02:00 and 02:30 carry the instants of 03:00 and 03:30"),
    Habit("autumn_hole", "data", "E6", 108, "autumn: 00:00Z and 00:30Z are missing"),
    Habit("spring_phantoms", "data", "E7", 109, "spring, sets 6-7: two instants twice with different values, gas 0"),
    Habit("hourly_gas", "data", "E7", 109, "gas only on the hour"),
    Habit("secrecy_zero", "data", "E1", 103, "withheld commune rows: sites, total empty, mean 0.0; true zeros exist"),
    Habit("secrecy_null", "data", "E1", 103, "withheld department rows: all three empty"),
    Habit("two_spellings", "data", "E3", 105, "department 90 has two spellings"),
    Habit("no_gas", "data", "E11", 113, "Corse has no gas: the keys are left out, the status is there"),
    Habit("negative_pumping", "data", "E9", 111, "pumping is zero or negative"),
    Habit("revisions", "data", "E8", 110, "real time is replaced by consolidated, then definitive rows"),
)
"""Each habit is exercised by ev_platform_tests/simulate/open_data/test_habits.py."""
