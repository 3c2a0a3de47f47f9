"""Downloads from a stand-in of Kaggle: keys, redirect, faults, versions; what the raw zone keeps of them."""

import hashlib
import os

import pytest

from ev_platform.errors import UserError
from ev_platform.lake.store import ObjectStore
from ev_platform.market.kaggle import Credentials, Kaggle
from ev_platform.market.raw_zone import manifests, newest, raw_key, snapshots, take, take_csv
from ev_platform.settings import load_settings
from ev_platform.simulate.kaggle_server import DATASET, FILE, KEY, TOKEN, USERNAME, Published, kaggle_server

CSV = b"year,make\n" + b"2015,Kia\n" * 500


@pytest.fixture
def published():
    return Published({1: CSV})


@pytest.fixture
def address(published):
    with kaggle_server(published) as url:
        yield url


@pytest.fixture
def store(tmp_path):
    return ObjectStore(str(tmp_path / "lake"))


def settings_for(address, **changes):
    return load_settings(**{"kaggle_url": address, "kaggle_api_token": TOKEN, **changes})


def by_token(address):
    return Kaggle(address, DATASET, Credentials(token=TOKEN))


@pytest.mark.parametrize("credentials", [Credentials(token=TOKEN), Credentials(username=USERNAME, key=KEY)])
def test_both_kinds_of_keys_and_the_key_never_reaches_the_storage_host(address, published, tmp_path, credentials):
    kaggle = Kaggle(address, DATASET, credentials)
    assert kaggle.download(FILE, kaggle.version().number, tmp_path).read_bytes() == CSV
    had_key = {host: key for host, _, key in published.requests}
    assert had_key == {"api": True, "storage": False}


def test_a_storage_host_that_got_the_key_would_refuse(address, published, tmp_path):
    """The check above can fail: a session that keeps the key on the other port is refused by the stand-in."""
    kaggle = by_token(address)
    kaggle._session.should_strip_auth = lambda old, new: False
    with pytest.raises(UserError):
        kaggle.download(FILE, 1, tmp_path)


@pytest.mark.parametrize("plain", [False, True])
def test_a_zip_or_the_file_itself(address, published, tmp_path, plain):
    published.plain = plain
    assert by_token(address).download(FILE, 1, tmp_path).read_bytes() == CSV


def test_busy_and_broken_answers_are_asked_again(address, published, tmp_path):
    published.fail_next = [429, 503]
    published.cut_next = 2
    kaggle = by_token(address)
    assert kaggle.version().number == 1
    assert kaggle.download(FILE, 1, tmp_path).read_bytes() == CSV


def test_a_download_that_always_breaks_off_is_an_error_not_half_a_file(address, published, tmp_path):
    published.cut_next = 99
    with pytest.raises(UserError, match="broke off"):
        by_token(address).download(FILE, 1, tmp_path)


def test_a_damaged_archive_is_an_error(address, published, tmp_path):
    published.damaged = True
    with pytest.raises(UserError, match="damaged"):
        by_token(address).download(FILE, 1, tmp_path)


@pytest.mark.parametrize(
    ("dataset", "credentials", "said"),
    [
        (DATASET, Credentials(token="wrong"), "KAGGLE_API_TOKEN"),
        ("nobody/nothing", Credentials(token=TOKEN), "EV_MARKET_DATASET"),
    ],
)
def test_refusals_say_what_to_do_and_show_no_key(address, dataset, credentials, said):
    with pytest.raises(UserError, match=said) as error:
        Kaggle(address, dataset, credentials).version()
    assert TOKEN not in str(error.value)
    assert "wrong" not in str(error.value)


def test_terms_that_were_not_accepted(address, published):
    published.refused_terms = True
    with pytest.raises(UserError, match="accept its terms"):
        by_token(address).version()


def test_a_quota_that_is_used_up_is_an_error_not_a_sleep(address, published):
    published.fail_next = [429] * 6
    with pytest.raises(UserError, match="too many requests"):
        by_token(address).version()


def test_no_server():
    with pytest.raises(UserError, match="does not answer"):
        Kaggle("http://127.0.0.1:9", DATASET, Credentials(token=TOKEN)).version()


@pytest.mark.parametrize("dataset", ["", "a", "a/b/c", "../x", "a/b?c", "a/b/../../c"])
def test_a_dataset_is_a_name_never_a_path(dataset):
    with pytest.raises(UserError, match="owner/dataset"):
        Kaggle("http://127.0.0.1:9", dataset, Credentials(token=TOKEN))


def test_credentials_in_order(tmp_path):
    file = tmp_path / "token"
    file.write_text("from-file\n")
    assert Credentials.find(str(file), "u", "k").token == "from-file"
    assert Credentials.find("t", "u", "k").token == "t"
    assert Credentials.find("", "u", "k") == Credentials(username="u", key="k")
    assert "from-file" not in repr(Credentials.find(str(file), "", ""))
    with pytest.raises(UserError, match="KAGGLE_API_TOKEN"):
        Credentials.find("", "u", "")


def test_keys_are_read_under_their_usual_names_and_never_shown(monkeypatch):
    monkeypatch.setenv("KAGGLE_USERNAME", USERNAME)
    monkeypatch.setenv("KAGGLE_KEY", "very-secret")
    settings = load_settings()
    assert settings.kaggle_key.get_secret_value() == "very-secret"
    assert "very-secret" not in repr(settings) + str(settings)
    assert settings.child_environment()["EV_KAGGLE_KEY"] == "very-secret"


# -- raw zone ---------------------------------------------------------------------------------------------------------


def test_a_snapshot_is_filed_by_its_day_with_version_and_checksum(address, store):
    made = take(settings_for(address), store)
    sha = hashlib.sha256(CSV).hexdigest()
    assert made.key == f"market/raw/2024-02-21/car_prices-v1-{sha[:12]}.csv"
    assert store.get(made.key) == CSV
    assert [made] == list(manifests(store))
    assert newest(store) == made.key


def test_an_unchanged_version_is_not_even_downloaded(address, published, store):
    first = take(settings_for(address), store)
    published.requests.clear()
    again = take(settings_for(address), store)
    assert (again.key, again.stored) == (first.key, False)
    assert [path for _, path, _ in published.requests if "download" in path] == []


def test_a_new_version_with_the_same_file_stores_nothing(address, published, store):
    take(settings_for(address), store)
    before = store.keys("market")
    published.versions[2] = CSV
    assert not take(settings_for(address), store).stored
    assert store.keys("market") == before


def test_a_new_version_with_another_file_is_a_new_snapshot(address, published, store):
    first = take(settings_for(address), store)
    published.versions[2], published.updated = CSV + b"2016,Kia\n", "2024-03-05T00:00:00Z"
    second = take(settings_for(address), store)
    assert second.stored
    assert snapshots(store) == [first.key, second.key]
    assert store.get(first.key) == CSV


def test_a_killed_download_is_fetched_again(address, store):
    """Killed between file and manifest: the next fetch finds no manifest and files the same bytes again."""
    first = take(settings_for(address), store)
    store.delete([key for key in store.keys("market") if key.endswith(".json")])
    assert take(settings_for(address), store) == first
    store.delete([first.key])  # a manifest without its file
    assert take(settings_for(address), store) == first
    assert store.get(first.key) == CSV


def test_a_local_copy(store, tmp_path):
    file = tmp_path / "my sales;.csv"
    file.write_bytes(CSV)
    os.utime(file, (1_400_000_000, 1_400_000_000))
    made = take(load_settings(market_csv=str(file)), store)
    assert made.key.startswith("market/raw/2014-05-13/my_sales_-v0-")
    assert not take_csv(store, file).stored
    os.utime(file)
    assert not take_csv(store, file).stored, "the same bytes at another day are the same file"
    with pytest.raises(UserError, match="EV_MARKET_CSV"):
        take_csv(store, tmp_path / "missing.csv")


def test_without_any_source_the_error_says_what_to_set(store):
    with pytest.raises(UserError, match="EV_MARKET_CSV"):
        take(load_settings(), store)
    with pytest.raises(UserError, match="market/raw"):
        newest(store)


def test_the_newest_is_by_day_then_version(store):
    for day, version in (("2024-01-09", 2), ("2024-01-10", 10), ("2024-01-10", 9)):
        store.put(raw_key(day, "x", version, "0" * 64), b"")
    store.put("market/raw/2024-01-10/put_by_hand.csv", b"")
    store.put("market/raw/notes.txt", b"")
    assert [key.rsplit("/", 1)[1] for key in snapshots(store)] == [
        "x-v2-000000000000.csv",
        "put_by_hand.csv",
        "x-v9-000000000000.csv",
        "x-v10-000000000000.csv",
    ]
