"""The only reader of the environment: one typed class for every `EV_*` variable (and `.env`).

Belongs here: names, types, defaults and validation of settings, and the environment handed to child processes.
Everything else receives a `Settings` object. Credentials are never shown by `repr` and never put into run config.
"""

from __future__ import annotations

import json
import os
import re
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AliasChoices, Field, SecretStr, ValidationError, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from ev_platform.errors import SettingError
from ev_platform.references import is_reference, resolve

Words = Annotated[tuple[str, ...], NoDecode]


_SECRET_OPTION = re.compile(r"password|passphrase|secret|credential|jaas|oauthbearer\.config|\.pem$")
"""Names of librdkafka's options whose values nobody may see."""

_USERINFO = re.compile(r"(?<=://)[^/@\s]+(?=@)")
_SHORTEST_SECRET = 3
"""Shorter words are everywhere in any text; masking them would tell which letter it is."""

FOREIGN = {"dagster_home_dir": "DAGSTER_HOME", "aws_endpoint_url": "AWS_ENDPOINT_URL"}
"""Settings that belong to others: read under their own names, handed on as they are."""


class Settings(BaseSettings):
    """All settings with their embedded defaults: nothing has to be set on a laptop."""

    model_config = SettingsConfigDict(
        env_prefix="EV_", env_file=".env", extra="ignore", frozen=True, populate_by_name=True
    )

    lake_url: str = Field("./data/lake", description="folder, s3://bucket/prefix (with the usual AWS_*) or memory://")
    bucket_name: str = Field("", validation_alias=AliasChoices("EV_BUCKET_NAME", "BUCKET_NAME"))
    state_dir: Path = Field(Path("./data/state"), description="Dagster home, token store")
    dagster_home_dir: Path | None = Field(
        None, validation_alias=FOREIGN["dagster_home_dir"], description="else in the state folder"
    )
    start_day: date = Field(date(2010, 1, 1), description="first partition; older events are dead letters")

    kafka_bootstrap: str = Field("", description="host:port,…; empty: the embedded broker of `ev demo` and `ev up`")
    kafka_topics: Words = ("tesla_V", "tesla_alerts", "tesla_errors", "tesla_connectivity")
    kafka_group: str = Field("ev_platform", description="consumer group, shared by drain and service")
    kafka_options: Annotated[dict[str, str], NoDecode] = Field({}, repr=False, description="passed to librdkafka")
    kafka_timeout_seconds: float = Field(10.0, gt=0, description="longest wait for an answer of the broker")

    buffer_layout: Literal["vehicle", "segment"] = Field(
        "vehicle", description="raw objects of one vehicle, or of all vehicles of a partition (very large fleets)"
    )
    buffer_max_messages: int = Field(1000, ge=1)
    buffer_segment_messages: int = Field(20_000, ge=1, description="the same for objects of many vehicles")
    buffer_flush_seconds: float = Field(30.0, gt=0)
    buffer_min_bytes: int = Field(0, ge=0)
    buffer_max_seconds: float = Field(300.0, gt=0)
    buffer_memory_bytes: int = Field(256 * 2**20, ge=2**20, description="open and in-flight buffers together")
    message_max_bytes: int = Field(2**20, ge=1024, le=2**23, description="larger payloads are dead letters")

    dead_letter_max_share: float = Field(
        0.5, gt=0, le=1, description="reading stops when more of the last 1,000 messages are dead letters; 1: never"
    )

    keep_dead_letters_days: int = Field(
        0, ge=0, description="`ev lake retention --delete` deletes dead letters that are older; 0: kept for ever"
    )
    raw_late_days: int = Field(3, ge=1, description="raw objects that wait longer are named by `ev lake retention`")

    drain_max_messages: int = Field(200_000, ge=1, description="bound of one drain")
    drain_min_messages: int = Field(1, ge=1, description="lag that starts a drain")
    drain_runs_kept_hours: float = Field(48.0, gt=0, description="finished drain runs older than this are purged")

    commit_seconds: float = Field(30.0, gt=0, description="the ingest service writes a receipt and commits this often")
    upload_threads: int = Field(8, ge=1, le=64, description="objects written at once")
    metrics_port: int = Field(0, ge=0, le=65535, description="Prometheus endpoint of `ev ingest`; 0: none")
    metrics_host: str = Field("127.0.0.1", description="address that endpoint listens on")

    workers: int = Field(2, ge=1, description="processes of the local engine")
    engine: Literal["local", "spark", "ray", "dask"] = Field("local", description="who runs work items")
    spark_remote: str = Field("", description="sc://host:15002 (Connect) or a master: local[2,4], spark://…, yarn")
    ray_address: str = Field("", description="auto, host:6379 or ray://host:10001; empty: a cluster of this machine")
    dask_address: str = Field("", description="tcp://host:8786; empty: a cluster of this machine")
    batch_vehicles: int = Field(20, ge=1, description="vehicles per work item")
    shards: int = Field(1, ge=1, description="parts per day of a new lake; kept in ops/ afterwards")

    high_mobility_url: str = Field("https://api.high-mobility.com", description="or the sandbox's host")
    high_mobility_client_id: str = ""
    high_mobility_client_secret: str = Field("", repr=False)
    high_mobility_private_key_file: str = Field("", description="PEM, for a signed assertion instead of the secret")
    high_mobility_key_id: str = ""
    bmw_url: str = "https://api-cardata.bmwgroup.com"
    bmw_auth_url: str = "https://customer.bmwgroup.com"
    bmw_client_id: str = Field("", description="then: ev providers login bmw")
    bmw_container_id: str = Field("", description="empty: made by the first poll")
    mobilisights_url: str = Field("", description="as the contract names it; no public host is known")
    mobilisights_email: str = ""
    mobilisights_password: str = Field("", repr=False)
    mobilisights_fleets: str = Field("", description="fleet ids, comma-separated; empty: all")
    tesla_rest_url: str = Field("https://fleet-api.prd.eu.vn.cloud.tesla.com", description="host of the region")
    tesla_rest_auth_url: str = "https://fleet-auth.prd.vn.cloud.tesla.com"
    tesla_rest_client_id: str = ""
    token_secret: str = Field("", description="name of a Secrets Manager secret for rotating tokens; empty: a file")
    tesla_rest_refresh_token: str = Field("", repr=False, description="the first one; it rotates in the token store")

    vehicles_file: str = Field("", description="CSV or TOML of the vehicle registry")
    live_store: str = Field("sqlite", repr=False, description="sqlite (in the state folder), redis://… or mongodb://…")

    telematics_topic: str = Field("VehicleTelemetry", description="readings of telematics devices")
    telematics_live_hours: float = Field(48.0, gt=0, description="age of the oldest live counts, in event time")

    tariffs_file: str = Field("", description="CSV of charging tariffs, for the cost of charges")

    energy_sources: str = Field("", description="TOML of the energy sources; empty: the one in ev_platform/energy")
    energy_start_day: date = Field(date(2011, 1, 1), description="first partition of the energy tables")
    energy_schedules: bool = Field(False, description="whether the energy schedules run without being switched on")
    energy_topic: str = Field("electricity_production", description="topic of the live production")
    warehouse: str = Field("duckdb", repr=False, description="duckdb (a file in the state folder) or postgresql://…")

    sns_topic_arn: str = Field("", validation_alias=AliasChoices("EV_SNS_TOPIC_ARN", "SNS_TOPIC_ARN"))
    slack_webhook_url: str = Field("", repr=False, description="incoming webhook that alerts are posted to")
    smtp_url: str = Field("", repr=False, description="smtp://user:password@host:587 or smtps://…:465")
    alert_email_to: Words = ()
    alert_email_from: str = "ev_platform@localhost"
    alert_repeat_hours: float = Field(24.0, gt=0, description="an alert that stays open is sent again after this")
    alert_lag_messages: int = Field(500_000, ge=1, description="unread messages that raise an alert")
    alert_dead_letter_percent: float = Field(5.0, ge=0, le=100, description="of the last hour's messages")
    alert_sensor_minutes: float = Field(10.0, gt=0, description="longest silence of the sensor kafka_lag")
    ui_url: str = Field("", description="address of the Dagster UI for links in alerts; empty: this machine's")

    aws_endpoint_url: str | None = Field(
        None, validation_alias=FOREIGN["aws_endpoint_url"], description="read by S3 clients"
    )
    ui_port: int = Field(3000, ge=1, le=65535)
    dashboard_port: int = Field(8501, ge=1, le=65535)

    market_csv: str = Field("", description="local copy of the sales file; empty: from Kaggle")
    market_dataset: str = Field("syedanwarafridi/vehicle-sales-data", description="owner/dataset on Kaggle")
    market_file: str = Field("car_prices.csv", description="file of that dataset")
    market_first_month: str = Field("2014-01", pattern=r"^\d{4}-\d{2}$", description="first partition of sales")
    kaggle_url: str = Field("https://www.kaggle.com", description="where Kaggle's API is")
    kaggle_api_token: SecretStr = Field(
        SecretStr(""), validation_alias=AliasChoices("EV_KAGGLE_API_TOKEN", "KAGGLE_API_TOKEN")
    )
    kaggle_username: str = Field("", repr=False, validation_alias=AliasChoices("EV_KAGGLE_USERNAME", "KAGGLE_USERNAME"))
    kaggle_key: SecretStr = Field(SecretStr(""), validation_alias=AliasChoices("EV_KAGGLE_KEY", "KAGGLE_KEY"))

    query_engine: Literal["duckdb", "athena"] = Field("duckdb", description="what answers SQL questions")
    athena_database: str = Field("ev_platform", pattern=r"^[a-z0-9_]+$", description="Glue database of the lake")
    athena_workgroup: str = "primary"
    athena_staging_url: str = Field(
        "", validation_alias=AliasChoices("EV_ATHENA_STAGING_URL", "S3_STAGING_DIR"), description="s3://…/ for results"
    )
    athena_region: str = Field("", description="empty: the region of the AWS environment")

    price_table_file: str = Field("", description="CSV of new prices for residual values; empty: ratios only")
    regions_file: str = Field("", description="GeoJSON of regions; empty: the region of the nearest prefecture")

    @field_validator("aws_endpoint_url")
    @classmethod
    def _endpoint(cls, value: str | None) -> str | None:
        """An empty one makes S3 clients fail deep inside, with nothing that names it."""
        if value is not None and "://" not in value:
            raise ValueError("write http://host:port or https://…, or unset it for Amazon S3")
        return value

    @field_validator("kafka_topics", "alert_email_to", mode="before")
    @classmethod
    def _split(cls, value: Any) -> Any:  # noqa: ANN401 - whatever the environment holds
        return tuple(word.strip() for word in value.split(",") if word.strip()) if isinstance(value, str) else value

    @field_validator("kafka_options", mode="before")
    @classmethod
    def _options(cls, value: Any) -> Any:  # noqa: ANN401 - whatever the environment holds
        """JSON object, or `key=value,key=value`."""
        if not isinstance(value, str):
            return value
        text = value.strip()
        if text.startswith("{"):
            return {str(k): _fetched(str(k), str(v)) for k, v in json.loads(text).items()}
        pairs = [part.partition("=") for part in text.split(",") if part.strip()]
        if any(not sep for _, sep, _ in pairs):
            raise ValueError("write key=value,key=value or a JSON object")
        return {key.strip(): _fetched(key.strip(), option.strip()) for key, _, option in pairs}

    @field_validator("*", mode="before")
    @classmethod
    def _reference(cls, value: Any, info: ValidationInfo) -> Any:  # noqa: ANN401 - whatever the environment holds
        """`aws-ssm:…` and `aws-secret:…#…` become what they stand for; only where the value is never shown.

        Stands last, because the last one is asked first.
        """
        if not is_reference(value):
            return value
        field = cls.model_fields[str(info.field_name)]
        if field.repr and field.annotation is not SecretStr:
            raise ValueError("a reference to a secret, but this setting is shown in logs: write its value")
        return resolve(value)

    @cached_property
    def lake(self) -> str:
        """URL of the lake; `BUCKET_NAME` alone means that bucket."""
        if self.bucket_name and "lake_url" not in self.model_fields_set:
            return f"s3://{self.bucket_name}"
        return self.lake_url

    @cached_property
    def dagster_home(self) -> Path:
        """Folder of Dagster's instance: DAGSTER_HOME, else one in the state folder."""
        return (self.dagster_home_dir or self.state_dir / "dagster").expanduser().resolve()

    @cached_property
    def ui(self) -> str:
        """Address of the Dagster UI, without a slash at its end."""
        return (self.ui_url or f"http://127.0.0.1:{self.ui_port}").rstrip("/")

    @property
    def shown_kafka_options(self) -> dict[str, str]:
        """EV_KAFKA_OPTIONS with secrets masked."""
        options = sorted(self.kafka_options.items())
        return {name: "***" if _SECRET_OPTION.search(name) else self.masked(value) for name, value in options}

    def masked(self, text: str) -> str:
        """A text without the secrets of these settings: for every log line, error and page that may quote them.

        Masks the values of secret settings and Kafka options wherever they stand, and user:password@ in URLs.
        """
        secrets = {value for name, value in self.kafka_options.items() if _SECRET_OPTION.search(name)}
        hidden = {name: field for name, field in type(self).model_fields.items() if not field.repr}
        values = {name: getattr(self, name) for name, field in hidden.items() if getattr(self, name) != field.default}
        secrets |= {value for value in values.values() if isinstance(value, str)}
        for secret in sorted(secrets, key=len, reverse=True):
            if len(secret) >= _SHORTEST_SECRET:
                text = text.replace(secret, "***")
        return _USERINFO.sub("***", text)

    def with_changes(self, **changes: Any) -> Settings:  # noqa: ANN401 - any setting's value
        """A copy with other values."""
        return self.model_copy(update=changes)

    def child_environment(self) -> dict[str, str]:
        """The environment for a child process that shall see exactly these settings."""
        names = type(self).model_fields.keys() - FOREIGN.keys()
        own = {f"EV_{name.upper()}": _to_text(getattr(self, name)) for name in sorted(names)}
        unset = {"EV_BUCKET_NAME": ""} if "lake_url" in self.model_fields_set else {}
        return {**os.environ, **own, **unset, "EV_LAKE_URL": self.lake, "DAGSTER_HOME": str(self.dagster_home)}

    def activate(self) -> None:
        """Make this process see exactly these settings, before it loads the definitions (they read them at import)."""
        os.environ.update(self.child_environment())


def run_spark_workers_by(python: str) -> None:
    """The Python that Spark starts for its workers on this machine; else it takes the first on the path."""
    os.environ["PYSPARK_PYTHON"] = python


def report_no_usage() -> None:
    """Ray would tell its makers that it was started; nothing here reports to anybody."""
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"


def limit_polars_threads(threads: int) -> None:
    """Threads that Polars will start in this process; it reads them once, at its first import."""
    os.environ["POLARS_MAX_THREADS"] = str(threads)


def _fetched(name: str, option: str) -> str:
    """One of librdkafka's options, fetched if it is a secret one by reference."""
    return resolve(option) if is_reference(option) and _SECRET_OPTION.search(name) else option


def _to_text(value: object) -> str:
    if isinstance(value, tuple):
        return ",".join(value)
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    return json.dumps(value) if isinstance(value, dict) else str(value)


def load_settings(**overrides: Any) -> Settings:  # noqa: ANN401 - any setting's value
    """Settings from the environment and `.env`; `overrides` win.

    Raises:
        SettingError: a variable cannot be used; the message names it and says why, never its value.
    """
    try:
        return Settings(**overrides)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        name = str(first["loc"][0])
        shown = name if name.isupper() else f"EV_{name.upper()}"
        raise SettingError(f"{shown} cannot be used: {first['msg']}") from None
