"""Refined sales: the generated truth comes back exactly; every rule of the columns; nothing is dropped."""

import json
from datetime import UTC, datetime

import duckdb
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ev_platform.errors import UserError
from ev_platform.lake.schemas_market import QUARANTINE, SALES
from ev_platform.market.csv_rows import COLUMNS
from ev_platform.market.names import canonical, known
from ev_platform.market.refine import refine, refine_month
from ev_platform.simulate.sales import Market
from ev_platform.simulate.sales_file import write_sales

GOOD = {
    "year": "2015",
    "make": "Kia",
    "model": "Sorento",
    "trim": "LX",
    "body": "SUV",
    "transmission": "automatic",
    "vin": "5xyktca69fg566472",
    "state": "ca",
    "condition": "5",
    "odometer": "16639",
    "color": "white",
    "interior": "black",
    "seller": "kia motors",
    "mmr": "20500",
    "sellingprice": "21500",
    "saledate": "Tue Dec 16 2014 12:30:00 GMT-0800 (PST)",
}


def csv_of(*rows, header=COLUMNS):
    lines = [",".join(header)]
    lines += [row if isinstance(row, str) else ",".join({**GOOD, **row}[name] for name in COLUMNS) for row in rows]
    return ("\n".join(lines) + "\n").encode()


def sale(**changed):
    """The one refined row of a file with one row."""
    table = refine(csv_of(changed)).sales
    assert table.num_rows == 1
    return table.to_pylist()[0]


def reason(**changed):
    """The reason of the one row of a file, which is no sale."""
    found = refine(csv_of(changed))
    assert found.sales.num_rows == 0
    return found.quarantine.to_pylist()[0]["reason"]


@pytest.fixture(scope="module", params=[False, True], ids=["plain", "capitals and BOM"])
def published(request):
    return write_sales(Market(sales=8_000, seed=3), capitals=request.param)


def test_the_truth_comes_back_exactly(published):
    found = refine(published.data)
    assert found.sales.schema.equals(SALES)
    assert found.quarantine.schema.equals(QUARANTINE)
    assert found.sales.to_pylist() == published.expected.to_pylist()


def test_every_row_is_a_sale_or_quarantined_with_its_reason(published):
    found = refine(published.data)
    reasons = pl.DataFrame(pl.from_arrow(found.quarantine)).group_by("reason").len()
    assert dict(sorted(reasons.iter_rows())) == published.quarantined
    assert {"shifted_row", "duplicate", "no_date_no_price"} <= published.quarantined.keys()
    assert found.sales.num_rows + found.quarantine.num_rows == published.data.count(b"\n") - 1


def test_a_spoiled_value_is_noticed(published):
    """The comparison with the truth can fail: one price changed in the file is one row that differs."""
    price = f",{published.expected['selling_price_usd'][0].as_py():.0f},".encode()
    spoiled = refine(published.data.replace(price, b",77777,", 1))
    assert spoiled.sales.to_pylist() != published.expected.to_pylist()


def test_the_order_of_the_file_does_not_matter(published):
    head, *lines = published.data.rstrip(b"\n").split(b"\n")
    again = refine(b"\n".join([head, *reversed(lines)]) + b"\n")
    first = refine(published.data)
    assert again.sales.equals(first.sales)
    assert again.quarantine.equals(first.quarantine)


def test_months_are_a_partition_of_the_sales(published):
    found = refine(published.data)
    parts = {month: refine_month(found, month) for month in found.months}
    assert {month: part.num_rows for month, part in parts.items()} == found.months
    assert pa.concat_tables(parts.values()).equals(found.sales.combine_chunks())
    assert next(iter(found.months)) == "2014-01"
    assert "2014-05" not in found.months


# -- dates ------------------------------------------------------------------------------------------------------------


def test_the_offset_of_a_date_is_read_the_right_way_round():
    assert sale()["sold_at"] == datetime(2014, 12, 16, 20, 30, tzinfo=UTC)
    summer = sale(saledate="Thu Jul 16 2015 12:30:00 GMT-0700 (PDT)")["sold_at"]
    assert summer == datetime(2015, 7, 16, 19, 30, tzinfo=UTC)


def test_a_sale_is_filed_under_its_month_in_utc():
    late = refine(csv_of({"saledate": "Wed Dec 31 2014 20:00:00 GMT-0800 (PST)"}))
    assert late.months == {"2015-01": 1}


@pytest.mark.parametrize(
    "text",
    ["16/12/2014", "2014-12-16 12:30", "Tue Dec 16 2014 12:30:00", "Tue Dec 16 2014 25:30:00 GMT-0800 (PST)", "16500"],
)
def test_a_date_in_any_other_form_is_quarantined_never_guessed(text):
    assert reason(saledate=text) == "bad_date"


@given(
    st.datetimes(datetime.fromisoformat("2000-01-01"), datetime.fromisoformat("2030-12-31")),
    st.sampled_from(["-0800 (PST)", "-0700 (PDT)"]),
)
@settings(max_examples=40, deadline=None)
def test_dates_agree_with_duckdb(moment, zone):
    text = f"{moment:%a %b %d %Y %H:%M:%S} GMT{zone}"
    query = r"SELECT epoch_us(strptime(regexp_replace(?, ' \(\w+\)$', ''), '%a %b %d %Y %H:%M:%S GMT%z'))"
    with duckdb.connect() as connection:
        (micros,) = connection.execute(query, [text]).fetchone()
    assert sale(year="2000", saledate=text)["sold_at"].timestamp() * 1e6 == micros


# -- columns ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "grade"),
    [("45", 4.5), ("4", 4.0), ("4.5", 4.5), ("19", 1.9), ("2", 2.0), ("49.0", 4.9), ("1", 1.0), ("5.0", 5.0)],
)
def test_the_grade_gets_its_decimal_point_back(text, grade):
    row = sale(condition=text)
    assert row["grade"] == grade
    assert row["condition_raw"] == float(text)
    assert ("condition_point_restored" in row["repairs"]) == (float(text) > 5)


@pytest.mark.parametrize("text", ["7", "0", "-1", "88", "good"])
def test_a_condition_off_the_scale_is_no_grade_and_is_noted(text):
    row = sale(condition=text)
    assert row["grade"] is None
    assert row["repairs"] == [f"condition_unusable:{text}"]


@pytest.mark.parametrize(
    ("column", "text", "name", "value"),
    [
        ("make", "vw", "make", "Volkswagen"),
        ("make", "BMW", "make", "BMW"),
        ("make", "gmc truck", "make", "GMC"),
        ("make", "mercedes-b", "make", "Mercedes-Benz"),
        ("make", "Zastava", "make", "Zastava"),
        ("body", "sedan", "body", "sedan"),
        ("body", "SuperCrew", "body", "crew cab"),
        ("color", "—", "color", None),
        ("color", "nan", "color", None),
        ("interior", "—", "interior", None),
        ("transmission", "", "transmission", None),
        ("seller", "  kia   motors ", "seller", "kia motors"),
        ("state", "ab", "state", "AB"),
        ("odometer", "1", "odometer_miles", None),
        ("odometer", "999999.0", "odometer_miles", None),
        ("vin", "", "vin", None),
        ("mmr", "", "mmr_usd", None),
    ],
)
def test_names_and_placeholders(column, text, name, value):
    assert sale(**{column: text})[name] == value


def test_what_a_column_cannot_hold_stays_readable_in_the_notes():
    row = sale(state="zz", vin="123", odometer="abc", transmission="cvt")
    assert row["state"] is row["vin"] is row["odometer_miles"] is row["transmission"] is None
    assert set(row["repairs"]) == {
        "state_unknown:zz",
        "vin_malformed:123",
        "odometer_placeholder:abc",
        "transmission_unknown:cvt",
    }


def test_a_misspelt_make_is_recognised_and_noted():
    row = sale(make="Volkswagon")
    assert row["make"] == "Volkswagen"
    assert row["repairs"] == ["make_close_match:Volkswagon"]


def test_a_missing_make_is_read_from_the_vin_only_when_the_rows_agree():
    def rows(makes):
        return csv_of(*({"vin": f"5XYKTCA69FG{k:06d}", "make": make} for k, make in enumerate(makes)))

    sure = refine(rows(["Kia"] * 20 + [""])).sales.to_pylist()
    assert [row["make"] for row in sure] == ["Kia"] * 21
    assert sure[-1]["repairs"] == ["make_from_vin"]
    mixed = refine(rows(["Kia"] * 20 + ["Hyundai"] * 5 + [""])).sales.to_pylist()
    assert [row["make"] for row in mixed].count(None) == 1
    few = refine(rows(["Kia"] * 19 + [""])).sales.to_pylist()
    assert few[-1]["make"] is None


def test_a_model_is_written_as_most_rows_write_it():
    rows = [{"model": "sorento", "vin": f"5XYKTCA69FG{k:06d}"} for k in range(2)]
    table = refine(csv_of(*rows, {"model": "Sorento"}, {"model": "Sorento", "odometer": "2"}, {"model": "Sorento"}))
    assert set(table.sales["model"].to_pylist()) == {"Sorento"}


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"sellingprice": "", "saledate": ""}, "no_date_no_price"),
        ({"saledate": ""}, "no_date"),
        ({"sellingprice": ""}, "no_price"),
        ({"sellingprice": "1"}, "placeholder_price"),
        ({"sellingprice": "-5"}, "placeholder_price"),
        ({"sellingprice": "free"}, "no_price"),
        ({"sellingprice": "inf"}, "no_price"),
        ({"year": ""}, "bad_model_year"),
        ({"year": "2018"}, "bad_model_year"),
        ({"year": "1.5"}, "bad_model_year"),
    ],
)
def test_what_is_no_sale_has_its_reason(changed, expected):
    assert reason(**changed) == expected


# -- shifted rows -----------------------------------------------------------------------------------------------------

JETTA = "2015,Volkswagen,Jetta,SE PZEV w/Connectivity, Navitgation,Sedan,automatic,3vwd17aj4fm201708"


def test_a_row_with_a_field_too_many_is_repaired_whole():
    line = f"{JETTA},ca,46,4802,silver,gray,vw credit,13200,16500,Tue Dec 16 2014 12:30:00 GMT-0800 (PST)"
    (row,) = refine(csv_of(line)).sales.to_pylist()
    assert row["car_trim"] == "SE PZEV w/Connectivity, Navitgation"
    assert (row["vin"], row["state"], row["grade"]) == ("3VWD17AJ4FM201708", "CA", 4.6)
    assert row["repairs"] == ["unquoted_comma_rejoined", "condition_point_restored"]


def test_a_row_that_was_cut_is_repaired_as_far_as_it_goes_and_kept_in_quarantine():
    found = refine(csv_of(f"{JETTA},,46,4802,silver,gray,,13200,16500"))
    (row,) = found.quarantine.to_pylist()
    fields = json.loads(row["fields"])
    assert found.sales.num_rows == 0
    assert (row["reason"], row["repaired"], row["vin"]) == ("shifted_row", True, "3VWD17AJ4FM201708")
    assert fields["trim"] == "SE PZEV w/Connectivity, Navitgation"
    assert (fields["body"], fields["transmission"]) == ("Sedan", "automatic")
    assert (fields["condition"], fields["odometer"], fields["color"]) == ("46", "4802", "silver")
    assert (fields["interior"], fields["mmr"], fields["sellingprice"]) == ("gray", "13200", "16500")
    assert not {"state", "seller", "saledate"} & fields.keys()


@pytest.mark.parametrize("line", ["2015,Kia", f"{JETTA},a,b,c,d,e,f,g,h,i", ",".join("x" * 17)])
def test_a_row_that_makes_no_sense_is_quarantined_as_it_is(line):
    (row,) = refine(csv_of(line)).quarantine.to_pylist()
    assert row["reason"] == "wrong_field_count"
    assert json.loads(row["original"]) == line.split(",")


# -- resales ----------------------------------------------------------------------------------------------------------


def test_resales_know_the_sale_before():
    first = {"sellingprice": "20000", "saledate": "Tue Dec 16 2014 12:30:00 GMT-0800 (PST)"}
    second = {"sellingprice": "18000", "saledate": "Tue Jan 06 2015 12:30:00 GMT-0800 (PST)"}
    rows = refine(csv_of(second, first, {"vin": ""}, {"vin": "", "odometer": "7"})).sales.to_pylist()
    numbers = [(row["sale_number"], row["previous_price_usd"], row["days_since_previous"]) for row in rows]
    assert sorted(numbers, key=str) == sorted([(1, None, None)] * 3 + [(2, 20_000.0, 21.0)], key=str)


def test_full_doubles_are_quarantined_and_equal_instants_with_other_figures_are_kept():
    found = refine(csv_of({}, {}, {"odometer": "5"}))
    assert found.sales.num_rows == 2
    assert [row["reason"] for row in found.quarantine.to_pylist()] == ["duplicate"]


# -- files ------------------------------------------------------------------------------------------------------------


def test_columns_may_come_in_any_order():
    header = list(reversed(COLUMNS))
    data = (",".join(header) + "\n" + ",".join(GOOD[name] for name in header) + "\n").encode()
    assert refine(data).sales.equals(refine(csv_of({})).sales)


@pytest.mark.parametrize("data", [b"", b"a,b\n1,2\n", b"\x00\x01\x02", csv_of({}).replace(b"saledate", b"vin", 1)])
def test_a_file_that_is_no_sales_file_is_refused_with_the_columns_wanted(data):
    with pytest.raises(UserError, match="lacks the columns"):
        refine(data)


def test_a_file_without_rows_is_empty():
    found = refine(csv_of())
    assert found.sales.num_rows == found.quarantine.num_rows == 0
    assert found.months == {}


def test_broken_characters_spoil_only_themselves():
    found = refine(csv_of({}, {"seller": "caf\xe9 motors", "odometer": "9"}).decode().encode("latin-1"))
    assert found.sales.num_rows == 2
    assert {row["seller"] for row in found.sales.to_pylist()} == {"kia motors", "caf\ufffd motors"}


@given(st.lists(st.text(alphabet=st.characters(codec="utf-8"), max_size=12), min_size=1, max_size=20))
@settings(max_examples=60, deadline=None)
def test_no_row_whatever_it_holds_stops_the_others_or_vanishes(fields):
    line = ",".join(text.replace("\n", " ").replace("\r", " ").replace('"', "'").replace("\x00", "") for text in fields)
    if not line.strip(", "):
        line = "x"
    found = refine(csv_of({}, line))
    assert found.sales.num_rows + found.quarantine.num_rows == 2


@pytest.mark.parametrize("table", ["makes", "bodies", "colors", "states", "transmissions"])
def test_name_tables_are_in_the_form_they_are_looked_up(table):
    names = canonical(table)
    assert all(alias == " ".join(alias.lower().split()) for alias in names)
    assert all(name.lower() in names for name in known(table)), "a canonical name is its own alias"
