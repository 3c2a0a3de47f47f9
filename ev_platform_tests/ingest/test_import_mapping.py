"""Mappings: every wrong line is one clear message that says where; the ready ones load and speak of known signals."""

import pytest

from ev_platform.errors import UserError
from ev_platform.ingest.import_mapping import load_mapping, parse_mapping, ready_mappings
from ev_platform.signals import catalogue

GOOD = {"provider": "mine", "time": [{"columns": ["t"]}], "vin": {"columns": ["v"]}}


def test_the_ready_mappings_load_and_their_signals_are_in_the_catalogue():
    assert ready_mappings() == ["generic", "leafspy", "teslamate_charges", "teslamate_positions"]
    for name in ready_mappings():
        mapping = load_mapping(name)
        made = [rule.signal for rules in mapping.columns.values() for rule in rules] + list(mapping.constants)
        for signal in made:
            assert (mapping.provider, signal) in catalogue().mapping, (name, signal)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"provider": "Mine!"}, "provider is 'Mine!'"),
        ({"provider": 5}, "provider is 5"),
        ({"tiem": []}, "'tiem' is not known here"),
        ({"time": []}, r"\[\[time\]\] is missing"),
        ({"time": [{"columns": []}]}, "must not be empty"),
        ({"time": [{"columns": ["t"], "formats": ["YYYY"]}]}, "format 'YYYY'"),
        ({"time": [{"columns": ["t"], "zone": "Europe/Atlantis"}]}, "no time zone 'Europe/Atlantis'"),
        ({"time": [{"columns": ["t"], "zone": "../etc"}]}, "no time zone"),
        ({"time": [{"columns": ["t"], "ambiguous": "maybe"}]}, "ambiguous is 'maybe'"),
        ({"time": [{"formats": ["iso"]}]}, "columns"),
        ({"vin": {"value": "SHORT"}}, "'SHORT' is no VIN"),
        ({"vin": {"columns": ["v"], "values": {"1": "nope"}}}, "'nope' is no VIN"),
        ({"vin": {"columns": ["v"], "value": "5YJ3E1EA7KF000001"}}, "one of value, columns, file_name"),
        ({"vin": {"file_name": "("}}, "no regular expression"),
        ({"vin": {"file_name": "abc"}}, "one group"),
        ({"file": {"delimiter": ";;"}}, "one character"),
        ({"file": {"decimal": ",", "thousands": ","}}, "decimal and thousands"),
        ({"file": {"encoding": "utf-99"}}, "no encoding"),
        ({"file": {"skip_lines": "2"}}, "skip_lines is '2', wanted int"),
        ({"file": {"header": 1}}, "header is 1"),
        ({"columns": {"a": {"signal": "x", "scale": 0}}}, "scale must not be 0"),
        ({"columns": {"a": {"scale": 2}}}, "signal"),
        ({"columns": {"a": {"signal": ""}}}, "signal must not be empty"),
        ({"columns": [1]}, "wanted a table"),
        ({"drop": 5}, "wanted a list of texts"),
    ],
)
def test_a_wrong_line_says_where_and_what_is_wanted(change, message):
    with pytest.raises(UserError, match=message):
        parse_mapping("mine", {**GOOD, **change})


def test_files_that_are_no_mappings(tmp_path):
    with pytest.raises(UserError, match="ready mappings: generic, leafspy"):
        load_mapping("leefspy")
    with pytest.raises(UserError, match="No such file"):
        load_mapping(str(tmp_path / "a.toml"))
    (tmp_path / "b.toml").write_text("a = ")
    with pytest.raises(UserError, match="not TOML"):
        load_mapping(str(tmp_path / "b.toml"))


def test_what_the_command_line_changes():
    mapping = load_mapping("leafspy")
    assert mapping.with_vin("5YJ3E1EA7KF000001").vin.value == "5YJ3E1EA7KF000001"
    assert {rule.zone for rule in mapping.with_zone("Europe/Paris").times} == {"Europe/Paris"}
    with pytest.raises(UserError, match="--vin 'x' is no VIN"):
        mapping.with_vin("x")
    with pytest.raises(UserError, match="--zone: there is no time zone"):
        mapping.with_zone("Mars/Base")
