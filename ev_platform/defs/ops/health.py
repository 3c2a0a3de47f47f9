"""The sensor that looks at the platform itself every five minutes: gathers figures, applies the rules, tells.

Reads the broker's offsets, Dagster's event log and ticks, and nothing of the data. Each look stands alone: one that
cannot be taken is an alert of its own and keeps no other from being taken.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import dagster as dg
from dagster._core.definitions.run_request import InstigatorType  # not exported
from dagster._core.storage.asset_check_execution_record import AssetCheckExecutionRecordStatus

from ev_platform.alerts import Alert, Alerts, rules
from ev_platform.defs.lake.assets import COMPRESSED_KEY, newest_raw
from ev_platform.defs.platform import Platform
from ev_platform.defs.raw.assets import RAW_TESLA
from ev_platform.errors import UserError
from ev_platform.ingest.lag import probe
from ev_platform.lake.store import ObjectStore
from ev_platform.providers.connect import quotas_left
from ev_platform.providers.quota import KEPT_BACK
from ev_platform.settings import Settings

SECONDS_BETWEEN_LOOKS = 300
CHECK = "check:"


def look_at_broker(settings: Settings) -> list[Alert | None]:
    """Lag, and whether the broker answers at all."""
    if not settings.kafka_bootstrap:
        return []
    try:
        behind = sum(lag.behind for lag in probe(settings))
    except UserError as error:
        return [rules.broker_silent(str(error))]
    return [rules.lag_too_high(behind, settings.alert_lag_messages)]


def look_at_dead_letters(instance: dg.DagsterInstance, settings: Settings, now: datetime) -> Alert | None:
    """Messages and dead letters of the last hour's drains, as their materializations report them."""
    recent = dg.AssetRecordsFilter(asset_key=RAW_TESLA, after_timestamp=(now - timedelta(hours=1)).timestamp())
    drains: dict[str | int, tuple[int, int]] = {}
    for record in instance.fetch_materializations(recent, limit=1000).records:
        event = record.asset_materialization
        if event and "messages" in event.metadata and "dead" in event.metadata:
            drains[record.run_id or record.storage_id] = (
                int(event.metadata["dead"].value),
                int(event.metadata["messages"].value),
            )
    dead, messages = (sum(figures[n] for figures in drains.values()) for n in (0, 1))
    return rules.dead_letter_rate(dead, messages, settings.alert_dead_letter_percent)


def look_at_sensor(instance: dg.DagsterInstance, settings: Settings, now: datetime) -> Alert | None:
    """When the sensor that drives the consumer ticked last; one that an operator switched off is meant to stand."""
    last = None
    for state in instance.all_instigator_state(instigator_type=InstigatorType.SENSOR):
        if state.instigator_name == "kafka_lag" and state.is_running:
            ticks = instance.get_ticks(state.instigator_origin_id, state.selector_id, limit=1)
            last = datetime.fromtimestamp(ticks[0].timestamp, UTC) if ticks else last
    return rules.sensor_standing_still(last, now, settings.alert_sensor_minutes)


def look_at_yesterday(instance: dg.DagsterInstance, now: datetime) -> Alert | None:
    """Whether the last closed day was made."""
    return rules.yesterday_missing(
        now, newest_raw(instance).keys(), instance.get_materialized_partitions(COMPRESSED_KEY)
    )


def look_at_quotas(settings: Settings, store: ObjectStore) -> dict[str, Alert | None]:
    """Key and alert of every configured provider whose requests a day are counted."""
    left = quotas_left(settings, store)
    return {f"{rules.QUOTA}{name}": rules.quota_nearly_used(name, n, KEPT_BACK) for name, n in left.items()}


def look_at_checks(
    instance: dg.DagsterInstance, settings: Settings, keys: list[dg.AssetCheckKey]
) -> Iterator[tuple[str, Alert | None]]:
    """Key and alert of every check that was ever evaluated, by its newest evaluation."""
    newest = instance.event_log_storage.get_latest_asset_check_execution_by_key(keys)
    for key, record in newest.items():
        name = f"{key.asset_key.to_user_string()}:{key.name}"
        failed = record.status == AssetCheckExecutionRecordStatus.FAILED
        link = f"{settings.ui}/assets/{key.asset_key.to_user_string()}?view=checks"
        yield (
            f"{CHECK}{name}",
            Alert(f"{CHECK}{name}", f"check {name} failed", "See its metadata.", link) if failed else None,
        )


@dg.sensor(minimum_interval_seconds=SECONDS_BETWEEN_LOOKS, default_status=dg.DefaultSensorStatus.RUNNING)
def platform_health(context: dg.SensorEvaluationContext, platform: dg.ResourceParam[Platform]) -> dg.SkipReason:
    """Lag, dead letters, the sensor's ticks, yesterday, quotas and failed checks: tells what is wrong, what is over."""
    now = datetime.now(UTC)
    instance, settings = context.instance, platform.settings
    graph = context.repository_def.asset_graph if context.repository_def else None
    checks = dict(look_at_checks(instance, settings, sorted(graph.asset_check_keys, key=str) if graph else []))
    quotas = look_at_quotas(settings, platform.store)
    found = [
        *look_at_broker(settings),
        look_at_dead_letters(instance, settings, now),
        look_at_sensor(instance, settings, now),
        look_at_yesterday(instance, now),
        *quotas.values(),
        *checks.values(),
    ]
    wrong = [alert for alert in found if alert is not None]
    looked_at = {rules.LAG, rules.BROKER, rules.DEAD_LETTERS, rules.SENSOR, rules.YESTERDAY, *quotas, *checks}
    if rules.BROKER in {alert.key for alert in wrong}:
        looked_at -= {rules.LAG}  # nobody knows
    Alerts(settings, platform.store).update(looked_at, wrong, now)
    return dg.SkipReason("; ".join(alert.title for alert in wrong) or "all is well")
