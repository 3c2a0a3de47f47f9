"""From files to raw lines and back: no cell changes a digit, every odd file is read or refused with its reason."""

import gzip
import json
from datetime import UTC, datetime

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ev_platform.errors import UserError
from ev_platform.ingest.dead_letters import read_dead_letters
from ev_platform.ingest.import_files import ROW, Batch
from ev_platform.ingest.import_rows import Period, encode
from ev_platform.ingest.polled import polled_line
from ev_platform.transform.compact import compact
from ev_platform.transform.compact_lexeme import spell
from ev_platform_tests.ingest.import_cases import NOW, VIN, bring, cells, compacted, mine, write

DAY, TIME = "2024-03-01", "2024-03-01T10:00:00Z"
PERIOD = Period(datetime(2010, 1, 1, tzinfo=UTC).date(), NOW)
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
WHITE = "\t\n\x0b\x0c\r \x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000" + "".join(map(chr, range(0x2000, 0x200B)))
NUMBER = st.one_of(st.integers(-(10**18), 10**18).map(str), st.floats().map(repr), st.decimals().map(str))


@given(st.lists(st.tuples(TEXT | NUMBER, TEXT | NUMBER), min_size=1, max_size=8))
def test_every_cell_comes_back_digit_for_digit(rows):
    """Any text at all: in through the import's columns, out of the compacted table."""
    stamps = [f"2024-03-01T10:00:{n:02d}Z" for n in range(len(rows))]
    frame = pl.DataFrame(
        {"vin": [VIN] * len(rows), "time": stamps, "a": [a for a, _ in rows], 'b"x': [b for _, b in rows]},
        schema=dict.fromkeys(["vin", "time", "a", 'b"x'], pl.String),
    ).with_columns(pl.Series(ROW, range(len(rows)), dtype=pl.Int64))
    lines = encode(Batch(frame), mine(), "f.csv", PERIOD)
    assert not lines.bad
    data = "".join(line + "\n" for line in lines.frame["line"]).encode()
    found = compact([(f"temp/{VIN}/{DAY}/mine-{'0' * 64}-1.json", data)], None, VIN, DAY)
    assert not found.bad_lines
    assert found.records == len(rows)
    back = {
        (row["event_time"].second, row["signal"]): spell(row["number"]) if row["text"] is None else row["text"]
        for row in found.table.to_pylist()
    }
    cells = {(n, name): cell for n, pair in enumerate(rows) for name, cell in zip(["a", 'b"x'], pair, strict=True)}
    stripped = {key: cell.strip(WHITE) for key, cell in cells.items()}
    kept = {key: cell for key, cell in stripped.items() if cell not in mine().file.nulls}
    assert {key: text for key, text in back.items() if key[1] != "time"} == kept


def test_a_line_is_the_line_of_the_shared_encoder(tmp_path, settings, store):
    bring(settings, store, [write(tmp_path / "a.csv", "vin,time,soc_percent", f"{VIN},{TIME},71.5")])
    (key,) = store.keys("temp")
    line = store.get(key)
    payload = line[line.index(b'"d":') + 4 : -2]
    assert line == polled_line(payload)


def test_units_scales_words_and_originals(tmp_path, settings, store):
    mapping = mine(
        columns={
            "Odo": {"signal": "odometer_km", "unit": "mi"},
            "SOC": {"signal": "soc_percent", "scale": 0.0001},
            "T": {"signal": "outside_temp_c", "scale": 0.5555555555555556, "offset": -17.77777777777778},
            "G": [{"signal": "gear", "values": {"1": "P"}}, {"signal": "parked", "values": {"1": "yes"}}],
            "Same": "renamed",
        },
        constants={"logger": "x"},
        drop=["secret"],
    )
    header = "vin,time,Odo,SOC,T,G,Same,secret,extra"
    bring(settings, store, [write(tmp_path / "a.csv", header, f"{VIN},{TIME},100,712345,50,1,7,hush,e")], mapping)
    compacted(settings, store)
    found = {signal: value for (_, _, signal), value in cells(store).items()}
    assert found == {
        "time": (None, TIME, None),
        "odometer_km": (100, None, "mi"),
        "soc_percent": (71.2345, None, None),
        "SOC": (712345, None, None),
        "outside_temp_c": (10.0, "10.0", None),
        "T": (50, None, None),
        "gear": (None, "P", None),
        "parked": (None, "yes", None),
        "G": (1, None, None),
        "renamed": (7, None, None),
        "logger": (None, "x", None),
        "extra": (None, "e", None),
    }


@pytest.mark.parametrize(
    ("cell", "text"),
    [("1.234,5", "1234.5"), ("12,50", "12.50"), ("-7,25", "-7.25"), ("1.234.567", "1234567"), ("a,b", "a,b"),
     ("1.2.3", "1.2.3")],
)  # fmt: skip
def test_decimal_commas(tmp_path, settings, store, cell, text):
    mapping = mine(file={"delimiter": ";", "decimal": ",", "thousands": "."})
    bring(settings, store, [write(tmp_path / "a.csv", "vin;time;x", f"{VIN};{TIME};{cell}")], mapping)
    compacted(settings, store)
    (found,) = [value for (_, _, signal), value in cells(store).items() if signal == "x"]
    assert (spell(found[0]) if found[1] is None else found[1]) == text


# -- files ------------------------------------------------------------------------------------------------------------


def lines_of(store):
    return sorted(line for key in store.keys("temp") for line in store.get(key).decode().splitlines())


def test_header_missing_reordered_renamed_or_with_a_byte_order_mark(tmp_path, settings, store):
    mapping = mine(file={"names": ["vin", "time", "soc"]})
    rows = [f"{VIN},{TIME},71", f"{VIN},2024-03-01T10:00:05Z,72"]
    files = [
        write(tmp_path / "plain.csv", "vin,time,soc", *rows),
        write(tmp_path / "none.csv", *rows),
        write(tmp_path / "bom.csv", "\ufeffVIN , Time,soc", *rows),
        write(tmp_path / "semi.csv", "vin,time,soc", "", *rows, ""),
    ]
    report = bring(settings, store, files, mapping)
    assert (report.rows, report.stored, report.repeats) == (8, 2, 6)
    turned = write(tmp_path / "turned.csv", "soc,time,vin", f"71,{TIME},{VIN}")
    bring(settings, store, [turned], mapping)
    compacted(settings, store)
    assert {value[0] for (_, _, signal), value in cells(store).items() if signal == "soc"} == {71, 72}


def test_more_columns_than_the_mapping_names_and_names_that_repeat(tmp_path, settings, store):
    mapping = mine(file={"names": ["vin", "time"]})
    bring(settings, store, [write(tmp_path / "a.csv", f"{VIN},{TIME},1,2")], mapping)
    bring(settings, store, [write(tmp_path / "b.csv", "vin,time,x,x,", f"{VIN},2024-03-01T10:00:05Z,3,4,5")], mapping)
    rows = [json.loads(line)["d"]["row"] for line in lines_of(store)]
    names = {name for row in rows for name in row}
    assert names == {"time", "column_3", "column_4", "x", "x_2", "column_5"}


def test_bad_rows_are_dead_letters_with_number_reason_and_text(tmp_path, settings, store):
    good = [f"{VIN},2024-03-01T10:{n // 60:02d}:{n % 60:02d}Z,{n}" for n in range(100)]
    bad = {
        4: (f"{VIN},{TIME}", "wrong_cells"),
        9: (f"nonsense,{TIME},1", "bad_vin"),
        10: (f",{TIME},1", "no_vin"),
        50: (f"{VIN},soon,1", "bad_time"),
        51: (f"{VIN},,1", "no_time"),
        60: (f"{VIN},2019-12-31T23:59:59Z,1", "before_start"),
        70: (f"{VIN},2099-01-01T00:00:00Z,1", "clock_ahead"),
        101: (f"{VIN},{TIME},1,2,3", "wrong_cells"),
        102: (f"../../etc/passwd,{TIME},1", "bad_vin"),
    }
    lines = ["vin,time,x"]
    while len(lines) < 2 or good or len(lines) + 1 in bad:
        lines.append(bad[len(lines) + 1][0] if len(lines) + 1 in bad else good.pop(0))
    path = write(tmp_path / "a.csv", *lines)
    report = bring(settings, store, [path])
    assert (report.rows, report.stored, report.dead_letters.total()) == (109, 100, 9)
    letters = {letter.offset: letter for letter in read_dead_letters(store)}
    assert {number: letter.reason for number, letter in letters.items()} == {n: why for n, (_, why) in bad.items()}
    assert letters[4].value.decode() == f"{VIN},{TIME}"
    assert json.loads(letters[50].value) == {"vin": VIN, "time": "soon", "x": "1"}
    assert letters[50].headers == {"file": "a.csv", "mapping": "generic", "sha256": letters[50].headers["sha256"]}
    assert "row 50 of a.csv" in letters[50].detail
    before = sorted(store.keys("dead_letter"))
    bring(settings, store, [path])
    assert sorted(store.keys("dead_letter")) == before


def test_row_numbers_hold_over_block_borders(tmp_path, settings, store, monkeypatch):
    monkeypatch.setattr("ev_platform.ingest.import_files.BLOCK_BYTES", 4096)
    lines = ["vin,time,x"]
    lines += ["1,2" if n % 7 == 0 else f"{VIN},2024-03-01T10:{n // 60 % 60:02d}:{n % 60:02d}Z,{n}" for n in range(2000)]
    report = bring(settings, store, [write(tmp_path / "a.csv", *lines)])
    assert report.dead_letters == {"wrong_cells": 286}
    assert sorted(letter.offset for letter in read_dead_letters(store)) == [n + 2 for n in range(0, 2000, 7)]


def test_encodings(tmp_path, settings, store):
    rows = ["vin,time,x", f"{VIN},{TIME},é", f"{VIN},2024-03-01T10:00:05Z,plain"]
    report = bring(settings, store, [write(tmp_path / "a.csv", *rows, encoding="latin-1")])
    assert report.dead_letters == {"not_text": 1}
    report = bring(settings, store, [tmp_path / "a.csv"], mine(file={"encoding": "latin-1"}))
    assert report.stored == 2
    assert any('"x":"é"' in line for line in lines_of(store))


def test_compressed_files_and_parquet_hold_the_same_rows(tmp_path, settings, store):
    rows = ["vin,time,soc_percent,odometer_km", f"{VIN},2024-03-01T10:00:00.250Z,71.5,1000", f"{VIN},{TIME},,1001"]
    plain = write(tmp_path / "a.csv", *rows)
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(plain.read_bytes()))
    times = [datetime(2024, 3, 1, 10, 0, 0, 250000, UTC), datetime(2024, 3, 1, 10, tzinfo=UTC)]
    table = pa.table({"vin": [VIN, VIN], "time": times, "soc_percent": [71.5, None], "odometer_km": [1000, 1001]})
    pq.write_table(table, tmp_path / "a.parquet")
    assert bring(settings, store, [plain, tmp_path / "a.csv.gz"]).repeats == 2
    one = compacted(settings, store)
    assert bring(settings, store, [tmp_path / "a.parquet"]).rows == 2
    two = {key: value for key, value in cells_after(settings, store).items() if key[2] != "time"}
    assert len(one) == 1
    assert set(two.values()) == {(71.5, None, None), (1000, None, None), (1001, None, None)}


def cells_after(settings, store):
    compacted(settings, store)
    return cells(store)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "is empty"),
        ("a,b\n1,2\n", "none of the columns"),
        ("vin,soc\nx,2\n", "no column of time; mapping generic wants time or timestamp or epoch_ms"),
        (f"time,soc\n{TIME},2\n", "no column of the VIN; mapping generic wants vin, or give --vin"),
        ("vin,time\n" + "x,2024-03-01\n" * 3, "3 of 3 rows do not fit mapping generic, 3 of them bad_vin"),
        ("vin,time\n" + f"{VIN},1/2/24\n" * 1500 + f"{VIN},{TIME}\n" * 700, "1500 of 2200 rows do not fit"),
    ],
)
def test_a_file_that_does_not_fit_stops_with_one_line_and_stores_nothing(tmp_path, settings, store, content, message):
    (tmp_path / "a.csv").write_text(content)
    with pytest.raises(UserError, match=message) as error:
        bring(settings, store, [tmp_path / "a.csv"])
    assert "\n" not in str(error.value)
    assert store.keys("temp") == store.keys("dead_letter") == store.keys("ops") == []


def test_vins_by_number_by_file_name_and_fixed(tmp_path, settings, store):
    path = write(tmp_path / f"log_{VIN}.csv", "car,time,x", f"1,{TIME},1")
    for rule in ({"columns": ["car"], "values": {"1": VIN}}, {"file_name": r"log_(\w{17})"}, {"value": VIN}):
        assert bring(settings, store, [path], mine(vin=rule)).vins == {VIN}
    odd = write(tmp_path / "odd.csv", "car,time,x", f"1,{TIME},1")
    with pytest.raises(UserError, match=r"the name 'odd.csv' holds no VIN"):
        bring(settings, store, [odd], mine(vin={"file_name": r"log_(\w{17})"}))
