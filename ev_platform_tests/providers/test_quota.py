"""The quota is never exceeded, whatever crashes; the plan gives every car its turn."""

import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ev_platform.lake.store import ObjectStore
from ev_platform.providers.base import BusyError
from ev_platform.providers.bmw import DAILY_REQUESTS
from ev_platform.providers.pull import pull
from ev_platform.providers.quota import DAY_MS, KEPT_BACK, Quota, plan
from ev_platform.simulate.standins.server import Fault, Reply
from ev_platform_tests.providers.conftest import NOW, VINS, FakeClock


def poll(bench):
    client, access = bench.client()
    return pull(client, access, bench.store, "2026-10-01")


@pytest.mark.parametrize("count", [1, 3, 20, 60])
def test_three_days_of_eager_polling_never_meet_the_limit(bench, count):
    b = bench("bmw", count)
    for _ in range(3 * 96):
        report = poll(b)
        assert report.stopped == ""
        b.clock.advance(900)
    assert not any(status in (403, 429) for _, _, status in b.server.log)
    asked = [b.server.requests(f"{vin}/telematicData") for vin in VINS[:count]]
    assert max(asked) - min(asked) <= 1, "every car gets its share"
    assert sum(asked) >= 0.65 * 3 * (DAILY_REQUESTS - KEPT_BACK), "and the day is used (in steps of 15 minutes)"


class KilledError(BaseException):
    """Stands for SIGKILL."""


@pytest.mark.parametrize("point", ["before sending", "after sending"])
def test_crashes_at_every_request_never_exceed_the_limit(bench, monkeypatch, point):
    """A process that dies around every request and starts again at once."""
    from ev_platform.providers.http import Session

    b = bench("bmw", 60)
    client, _ = b.client()
    client._bearer.token()
    real = Session.request

    def request(self, method, url, **more):
        if "/customers/" not in url:
            return real(self, method, url, **more)
        if point == "after sending":
            real(self, method, url, **more)
        raise KilledError

    monkeypatch.setattr(Session, "request", request)
    for _ in range(3 * DAILY_REQUESTS):
        client, _ = b.client()
        with pytest.raises((KilledError, BusyError)):
            client.vehicles()
    assert len(b.server.requests_ms) <= DAILY_REQUESTS
    assert ("CU-429" in str(b.server.log)) is False
    assert client.quota_left() == 0


def test_two_processes_book_no_request_twice(tmp_path):
    clock = FakeClock()
    booked, refused = [], []

    def work():
        quota = Quota(ObjectStore(str(tmp_path)), "bmw", 50, clock)
        for _ in range(20):
            try:
                quota.book()
                booked.append(1)
            except BusyError:
                refused.append(1)

    threads = [threading.Thread(target=work) for _ in range(4)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    assert (len(booked), len(refused)) == (50, 30)


def test_any_24_hours_are_a_day(tmp_path):
    clock = FakeClock()
    quota = Quota(ObjectStore(str(tmp_path)), "bmw", 3, clock)
    for _ in range(3):
        quota.book()
        clock.advance(3600)
    with pytest.raises(BusyError) as caught:
        quota.book()
    assert caught.value.retry_ms == DAY_MS - 3 * 3_600_000
    clock.ms = NOW - 5 * DAY_MS  # a clock that was set back frees nothing
    assert quota.left() == 0
    clock.ms = NOW + DAY_MS
    quota.book()


def test_the_providers_word_counts_more_than_our_ledger(bench):
    b = bench("bmw", 2)
    error = b'{"exveErrorId":"CU-429","exveErrorRef":"r","exveErrorMsg":"m","exveNote":""}'
    b.server.faults.append(Fault("telematicData", Reply(403, error), 1))
    report = poll(b)
    assert "CU-429" in report.stopped
    assert report.quota_left == 0
    asked = len(b.server.log)
    b.clock.advance(3600)
    assert "paused" in poll(b).stopped
    assert len(b.server.log) == asked


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.sampled_from(VINS), unique=True, max_size=60),
    st.dictionaries(st.sampled_from(VINS), st.integers(0, NOW)),
    st.integers(0, 50),
)
def test_a_plan_stays_within_what_is_left_and_prefers_the_longest_waiting(vins, asked, left):
    chosen = plan(vins, asked, left, 50, NOW)
    assert len(chosen) <= max(0, left - KEPT_BACK)
    assert len(set(chosen)) == len(chosen)
    assert set(chosen) <= set(vins)
    rest = set(vins) - set(chosen)
    due = [vin for vin in rest if NOW - asked.get(vin, 0) >= DAY_MS * len(vins) / (50 - KEPT_BACK)]
    assert all(asked.get(a, 0) <= asked.get(b, 0) for a in chosen for b in due)
