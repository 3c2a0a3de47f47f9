"""The whole chain on protobuf, from feed to cleaned: every message once, and equal to the chain on JSON."""

from datetime import UTC, date, datetime, timedelta

import polars as pl

from ev_platform.engine.compaction import compact_day
from ev_platform.engine.daily import clean_day
from ev_platform.ingest.audit import audit
from ev_platform.ingest.drain import drain
from ev_platform.ingest.embedded_broker import EmbeddedBroker
from ev_platform.ingest.lag import probe
from ev_platform.lake.store import ObjectStore
from ev_platform.lake.tables import from_parquet
from ev_platform.settings import Settings
from ev_platform.simulate.feed import Feed
from ev_platform.simulate.scenario import Scenario

FIRST = date(2026, 11, 1)


def chain(bootstrap, folder, protobuf):
    """(cleaned table of the first day, audit, dead letters by reason)."""
    scenario = Scenario(seed=31, vehicles=4, first_day=FIRST, protobuf=protobuf)
    settings = Settings(
        _env_file=None,
        lake_url=str(folder),
        kafka_bootstrap=bootstrap,
        kafka_topics=(scenario.topic,),
        kafka_group=scenario.topic,
        start_day=FIRST,
        workers=1,
    )
    store = ObjectStore(settings.lake)
    with Feed(bootstrap, scenario, settings.kafka_group) as feed:
        feed.advance(datetime.combine(FIRST + timedelta(days=1), datetime.min.time(), UTC), 4 * 2**20)
    report = drain(settings, store, None)
    assert report.dead_letters == {k: n for k, n in scenario.dead_letters(FIRST, FIRST).items() if k != "tombstone"}
    compact_day(settings, store, FIRST.isoformat())
    clean_day(settings, store, FIRST.isoformat())
    found = audit(store, {(lag.topic, lag.partition): lag.committed for lag in probe(settings)})
    parts = [from_parquet(store.get(key)) for key in store.keys("cleaned")]
    return pl.concat([pl.DataFrame(pl.from_arrow(part)) for part in parts]), found, report


def test_the_chain_on_protobuf_equals_the_chain_on_json(tmp_path):
    with EmbeddedBroker() as broker:
        decoded, json_audit, json_report = chain(broker.bootstrap, tmp_path / "json", False)
        binary, binary_audit, binary_report = chain(broker.bootstrap, tmp_path / "binary", True)
    assert str(json_audit) == str(binary_audit) == "0 lost, 0 doubled"
    assert json_report.records == binary_report.records > 1000
    assert binary.equals(decoded)
