import pytest

from ev_platform.errors import UserError
from ev_platform.lake.schemas_results import TARIFFS
from ev_platform.lake.tariffs import read_tariffs_file

HEAD = ",".join(TARIFFS.names)


def written(tmp_path, *lines):
    path = tmp_path / "tariffs.csv"
    path.write_text("\n".join([HEAD, *lines]) + "\n")
    return str(path)


def test_no_file_is_an_empty_table():
    assert read_tariffs_file("").num_rows == 0


def test_lines_are_read_in_their_order(tmp_path):
    path = written(tmp_path, "night,any,,,22,6,0.2,,EUR", "day,ac,2026-01-01,2026-12-31,,,0.3,1.5,EUR")
    rows = read_tariffs_file(path).to_pylist()
    assert [row["tariff"] for row in rows] == ["night", "day"]
    assert (rows[0]["start_hour"], rows[0]["valid_from"], rows[1]["session_fee"]) == (22, None, 1.5)


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("x,battery,,,,,0.2,,EUR", "charge_type"),
        ("x,any,,,,,,,EUR", "price_per_kwh"),
        ("x,any,,,,,0.2,,", "currency"),
        ("x,any,,,25,6,0.2,,EUR", "hours"),
        ("x,any,2026-02-01,2026-01-01,,,0.2,,EUR", "valid_from"),
        ("x,any,,,,,cheap,,EUR", "cheap"),
    ],
)
def test_a_wrong_line_is_one_clear_message(tmp_path, line, told):
    with pytest.raises(UserError, match=told) as error:
        read_tariffs_file(written(tmp_path, line))
    assert "\n" not in str(error.value)


def test_a_missing_file_or_column_is_one_clear_message(tmp_path):
    with pytest.raises(UserError, match="EV_TARIFFS_FILE"):
        read_tariffs_file(str(tmp_path / "none.csv"))
    (tmp_path / "short.csv").write_text("tariff,currency\nx,EUR\n")
    with pytest.raises(UserError, match="columns wanted"):
        read_tariffs_file(str(tmp_path / "short.csv"))
