"""A drain that fails against a broker with secret options: no secret in events, run config, logs or alerts."""

import json
import logging

import dagster as dg

from ev_platform.alerts.channels import deliver
from ev_platform.defs.platform import Platform
from ev_platform.defs.raw import sensors
from ev_platform.defs.raw.assets import raw_tesla
from ev_platform.ingest.lag import PartitionLag
from ev_platform.settings import load_settings

CANARY = "hunter2-Canary"
OPTIONS = {
    "security.protocol": "SASL_PLAINTEXT",
    "sasl.mechanism": "PLAIN",
    "sasl.username": "reader",
    "sasl.password": CANARY,
    "ssl.key.password": f"{CANARY}-2",
}


def test_a_failed_drain_tells_no_secret(tmp_path, caplog, capfd, monkeypatch):
    settings = load_settings(
        lake_url=str(tmp_path / "lake"), kafka_bootstrap="127.0.0.1:9", kafka_timeout_seconds=1, kafka_options=OPTIONS
    )
    platform = Platform(settings)
    home = tmp_path / "dagster"
    home.mkdir()
    monkeypatch.setattr(sensors, "probe", lambda settings: [PartitionLag("tesla_V", 0, 0, 0, 5)])
    monkeypatch.setattr(sensors, "members", lambda settings: 0)
    with dg.instance_for_test(temp_dir=str(home)) as instance, caplog.at_level(logging.DEBUG):
        context = dg.build_sensor_context(instance=instance, resources={"platform": platform})
        (request,) = sensors.kafka_lag(context).run_requests
        result = dg.materialize(
            [raw_tesla],
            partition_key="2026-10-02",
            instance=instance,
            resources={"platform": platform},
            run_config=request.run_config,
            raise_on_error=False,
        )
        assert not result.success
        deliver(settings, "failed", f"password {CANARY}-2 of sasl.password={CANARY}")
        written = b"".join(file.read_bytes() for file in home.rglob("*") if file.is_file())
        assert b"127.0.0.1:9 does not answer" in written  # the right place to look
        assert CANARY.encode() not in written
        assert CANARY not in json.dumps(request.run_config)
    printed = capfd.readouterr()
    assert CANARY not in caplog.text + printed.out + printed.err
    assert "password *** of sasl.password=***" in caplog.text
