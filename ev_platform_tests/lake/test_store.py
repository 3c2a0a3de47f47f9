"""One contract for every store: whole objects, sorted listings, and a swap that never loses an update."""

import os
import pickle
import random
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from ev_platform.errors import UserError
from ev_platform.lake.store import ObjectStore

# -- whole objects --------------------------------------------------------------------------------------------------


def test_put_get_overwrite(store):
    store.put("a/b/c.json", b"one")
    assert store.get("a/b/c.json") == b"one"
    store.put("a/b/c.json", b"")
    assert store.get("a/b/c.json") == b""
    assert store.exists("a/b/c.json")
    assert not store.exists("a/b")
    assert not store.exists("a/b/d.json")


def test_what_is_not_there(store):
    assert store.read("x/y") == (None, None)
    with pytest.raises(FileNotFoundError):
        store.get("x/y")
    assert store.keys("x") == []
    assert store.list_folders("x") == []
    store.delete(["x/y", "x/z"])
    store.delete([])
    store.move("x/y", "x/z")
    assert store.keys("x") == []


def test_listings_are_sorted_and_by_whole_segments(store):
    keys = ["l/V1/b", "l/V1/a", "l/V10/a", "l/V2/d/e", "l/top", "m/x"]
    random.Random(1).shuffle(keys)
    store.put_many([(key, key.encode()) for key in keys])
    assert store.keys("l") == sorted(key for key in keys if key.startswith("l/"))
    assert store.keys("l/V1") == ["l/V1/a", "l/V1/b"]
    assert store.keys("l/V") == []
    assert store.list_folders("l") == ["V1", "V10", "V2"]
    assert store.list_folders("l/V2") == ["d"]


def test_many_objects(store):
    keys = [f"many/{n % 7}/{n:03d}" for n in range(60)]
    store.put_many([(key, key.encode()) for key in keys])
    assert store.keys("many") == sorted(keys)
    asked = [*reversed(keys), "many/none", keys[0]]
    assert list(store.get_many(asked)) == [(key, key.encode() if key in keys else None) for key in asked]
    assert list(store.get_many([])) == []
    assert list(store.get_many(["many/none"])) == [("many/none", None)]
    store.delete([*keys[:50], "many/none"])
    assert store.keys("many") == sorted(keys[50:])


@pytest.mark.long
def test_more_than_one_page(store):
    keys = [f"page/{n:05d}" for n in range(2100)]
    store.put_many([(key, b"x") for key in keys])
    assert store.keys("page") == keys
    store.delete(keys)
    assert store.keys("page") == []


def test_put_many_raises_when_one_is_not_stored(store, monkeypatch):
    real = ObjectStore.put

    def failing(self, key, data):
        if key == "p/3":
            raise OSError(28, "No space left on device")
        real(self, key, data)

    monkeypatch.setattr(ObjectStore, "put", failing)
    with pytest.raises(OSError, match="No space"):
        store.put_many([(f"p/{n}", b"x") for n in range(6)])


def test_move(store):
    store.put("a/x", b"data")
    store.move("a/x", "quarantine/a/x")
    assert store.keys("a") == []
    assert store.get("quarantine/a/x") == b"data"
    store.barrier()


def test_odd_names(store):
    keys = ["odd/sp ace", "odd/per%20cent", "odd/ü", "odd/a=b", "odd/.hidden", "odd/plus+"]
    for key in keys:
        store.put(key, key.encode())
    assert store.keys("odd") == sorted(keys)
    assert all(store.get(key) == key.encode() for key in keys)


# -- compare-and-swap -----------------------------------------------------------------------------------------------


def test_swap_creates_only_what_is_absent(store):
    assert store.swap("s/x", b"1", None)
    assert not store.swap("s/x", b"2", None)
    assert store.get("s/x") == b"1"


def test_swap_replaces_only_the_version_that_was_read(store):
    store.put("s/x", b"1")
    data, version = store.read("s/x")
    assert data == b"1"
    assert store.swap("s/x", b"22", version)
    assert not store.swap("s/x", b"333", version)
    assert store.get("s/x") == b"22"
    version = store.read("s/x").version
    store.put("s/x", b"4444")
    assert not store.swap("s/x", b"55555", version)
    assert store.get("s/x") == b"4444"


def test_swap_of_something_deleted_meanwhile(store):
    store.put("s/x", b"1")
    version = store.read("s/x").version
    store.delete(["s/x"])
    assert not store.swap("s/x", b"2", version)
    assert store.keys("s") == []


def test_the_same_bytes_again_are_another_version_or_the_same_content(store):
    """A version may repeat only where the content does: else an update between read and swap would go unseen."""
    store.put("s/x", b"aaaa")
    first = store.read("s/x").version
    store.put("s/x", b"bbbb")
    assert store.read("s/x").version != first


@pytest.mark.parametrize("url", ["folder"], indirect=True)
def test_another_content_with_the_same_inode_time_and_size_is_another_version(store, tmp_path):
    store.put("s/x", b"1111")
    path = tmp_path / "lake" / "s" / "x"
    before = path.stat()
    version = store.read("s/x").version
    with path.open("r+b") as file:
        file.write(b"2222")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert (path.stat().st_ino, path.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    assert not store.swap("s/x", b"3333", version)
    assert store.get("s/x") == b"2222"


def add_numbers(store, key, numbers):
    """Add lines to an object by read, merge and swap, as compaction does."""
    lost = 0
    for number in numbers:
        while True:
            data, version = store.read(key)
            if store.swap(key, (data or b"") + b"%d\n" % number, version):
                break
            lost += 1
    return lost


WRITERS, EACH = 4, 12


def race(store, key="race/x"):
    with ThreadPoolExecutor(WRITERS) as pool:
        lost = list(pool.map(lambda w: add_numbers(store, key, range(w * EACH, (w + 1) * EACH)), range(WRITERS)))
    return sorted(map(int, store.get(key).split())), sum(lost)


TWO_STEPS = pytest.mark.xfail(reason="versitygw compares and writes in two steps, Amazon S3 in one", strict=False)


@pytest.mark.parametrize("url", ["folder", "memory", "moto", pytest.param("s3", marks=TWO_STEPS)], indirect=True)
def test_no_update_is_lost_between_threads(store):
    numbers, _ = race(store)
    assert numbers == list(range(WRITERS * EACH))


def test_without_the_comparison_updates_are_lost(store, monkeypatch):
    """Shows that the race above is a race: a plain put in place of the swap loses lines."""

    def plain(self, key, data, version):
        time.sleep(0.001)
        self.put(key, data)
        return True

    monkeypatch.setattr(ObjectStore, "swap", plain)
    assert race(store)[0] != list(range(WRITERS * EACH))


@pytest.mark.parametrize("url", ["folder"], indirect=True)
def test_no_update_is_lost_between_processes(store, url):
    program = (
        "import sys; from ev_platform.lake.store import ObjectStore;"
        "from ev_platform_tests.lake.test_store import add_numbers;"
        "w = int(sys.argv[2]); add_numbers(ObjectStore(sys.argv[1]), 'race/x', range(w * 50, (w + 1) * 50))"
    )
    children = [subprocess.Popen([sys.executable, "-c", program, url, str(w)]) for w in range(3)]
    assert [child.wait(60) for child in children] == [0, 0, 0]
    assert sorted(map(int, store.get("race/x").split())) == list(range(150))
    assert store.keys("") == ["race/x"]


@pytest.mark.parametrize("url", ["folder"], indirect=True)
def test_a_swap_killed_while_it_holds_the_lock_blocks_nobody(store, url):
    program = (
        "import os, signal, sys; from ev_platform.lake.store import ObjectStore; store = ObjectStore(sys.argv[1]);"
        "store.put = lambda *_: os.kill(os.getpid(), signal.SIGKILL); store.swap('s/x', b'never', None)"
    )
    assert subprocess.run([sys.executable, "-c", program, url], check=False).returncode == -signal.SIGKILL
    assert store.swap("s/x", b"1", None)
    assert store.get("s/x") == b"1"


# -- atomicity ------------------------------------------------------------------------------------------------------


def test_a_reader_sees_the_old_or_the_new_object(store):
    versions = [bytes([65 + n]) * 300_000 for n in range(2)]
    store.put("atomic/x", versions[0])
    stop = threading.Event()

    def write():
        for n in range(12):
            store.put("atomic/x", versions[n % 2])
        stop.set()

    writer = threading.Thread(target=write)
    writer.start()
    seen = set()
    while not stop.is_set():
        seen.add(store.get("atomic/x"))
        found = [key for key in store.keys("atomic") if ".sgwtmp." not in key]  # the S3 server's own unfinished file
        assert found == ["atomic/x"]
    writer.join()
    assert seen <= set(versions)


@pytest.mark.parametrize("url", ["folder"], indirect=True)
def test_a_writer_killed_in_the_middle_leaves_no_half_object(store, url):
    program = (
        "import sys; from ev_platform.lake.store import ObjectStore\n"
        "store = ObjectStore(sys.argv[1]); print(flush=True)\n"
        "n = 0\nwhile True: n += 1; store.put(f'k/{n % 5}', bytes([n % 256]) * 3_000_000)"
    )
    for pause in (0.03, 0.06, 0.09):
        child = subprocess.Popen([sys.executable, "-c", program, url], stdout=subprocess.PIPE)
        child.stdout.readline()
        time.sleep(pause)
        child.kill()
        child.wait()
        child.stdout.close()
        for key in store.keys("k"):
            data = store.get(key)
            assert len(data) == 3_000_000
            assert len(set(data)) == 1


def test_writing_and_listing_while_others_delete_the_same_folder(store, url):
    """A drain writes into a vehicle's day while compaction empties it, and the audit lists it."""
    stop = threading.Event()
    failures = []

    def guarded(work):
        try:
            work()
        except Exception as error:
            failures.append(error)
            stop.set()

    def churn():
        for n in range(150 if url.startswith("/") else 40):
            store.put(f"t/V/D/{n % 3}", b"x")
            store.delete([f"t/V/D/{n % 3}"])
        stop.set()

    def look():
        while not stop.is_set():
            store.keys("t")
            store.list_folders("t")

    def write():
        n = 0
        while not stop.is_set():
            store.put(f"t/V/D/kept{n}", b"y")
            store.delete([f"t/V/D/kept{n}"])
            n += 1
        store.put("t/V/D/last", b"z")

    threads = [threading.Thread(target=guarded, args=(work,)) for work in (churn, look, write)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert store.keys("t") == ["t/V/D/last"]


@pytest.mark.parametrize("url", ["folder"], indirect=True)
def test_a_folder_looks_like_s3(store, tmp_path):
    store.put("t/V/D/x", b"1")
    store.put("t/W/D/x", b"1")
    store.delete(["t/V/D/x"])
    assert store.list_folders("t") == ["W"]
    assert not (tmp_path / "lake" / "t" / "V").exists()
    store.delete(["t/W/D/x"])
    assert (tmp_path / "lake").exists()


# -- opening --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("url", ["folder", "moto", "s3"], indirect=True)
def test_pickled_it_opens_the_same_lake(store):
    store.put("a/x", b"1")
    again = pickle.loads(pickle.dumps(store))
    assert again.get("a/x") == b"1"


def test_memory_is_not_pickled():
    with pytest.raises(TypeError, match="one process"):
        pickle.dumps(ObjectStore("memory://"))


def test_two_memory_lakes_are_two():
    one, two = ObjectStore("memory://"), ObjectStore("memory://")
    one.put("x", b"1")
    assert two.keys("") == []


def test_a_folder_by_file_url_and_by_home(tmp_path, monkeypatch):
    ObjectStore(f"file://{tmp_path}/lake").put("x/y", b"1")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert ObjectStore("~/lake").get("x/y") == b"1"
    assert os.listdir(tmp_path / "lake") == ["x"]


def test_a_lake_that_cannot_be_opened_is_one_clear_line(tmp_path):
    (tmp_path / "file").write_text("x")
    for url in (str(tmp_path / "file"), str(tmp_path / "file" / "lake"), "ftp://host/x", "s3://"):
        with pytest.raises(UserError, match="EV_LAKE_URL") as raised:
            ObjectStore(url)
        assert "\n" not in str(raised.value)
