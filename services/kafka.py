"""One Apache Kafka broker (KRaft, no ZooKeeper) from its published jars: needs Java 17 and Maven.

It listens twice: without security, and with TLS and a password (SASL_SSL, PLAIN), as brokers in the cloud do.
"""

from __future__ import annotations

import base64
import secrets
import shutil
import subprocess
import uuid
from pathlib import Path
from typing import Any

from confluent_kafka.admin import AdminClient, NewTopic

from services.process import FOLDER, Absent, Failed, await_health, free_port, start

HERE = Path(__file__).parent
HOME = FOLDER / "kafka"
LOG = HOME / "kafka.log"
USER = "ev_platform"
START_SECONDS = 180.0
MEMORY = ["-Xms256m", "-Xmx512m", "-XX:+UseSerialGC", "-Djava.awt.headless=true"]

_PROPERTIES = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
listeners=PLAINTEXT://127.0.0.1:{broker},SASL_SSL://127.0.0.1:{secure},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{broker},SASL_SSL://127.0.0.1:{secure}
inter.broker.listener.name=PLAINTEXT
controller.listener.names=CONTROLLER
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SASL_SSL:SASL_SSL
ssl.keystore.type=PKCS12
ssl.keystore.location={keystore}
ssl.keystore.password={password}
sasl.enabled.mechanisms=PLAIN
listener.name.sasl_ssl.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required \
  user_{user}="{password}";
log.dirs={data}
num.partitions=4
auto.create.topics.enable=true
offsets.topic.replication.factor=1
offsets.topic.num.partitions=3
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=3
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
group.consumer.min.session.timeout.ms=1000
group.consumer.session.timeout.ms=6000
group.consumer.min.heartbeat.interval.ms=100
group.consumer.heartbeat.interval.ms=500
log.retention.ms=-1
log.message.timestamp.after.max.ms=9223372036854775807
num.network.threads=2
num.io.threads=2
log.segment.bytes=67108864
"""


def fetch() -> None:
    """Put the jars into the cache; nothing is fetched when they are there.

    Raises:
        Absent: Java or Maven is missing.
    """
    for tool in ("java", "mvn"):
        if shutil.which(tool) is None:
            raise Absent(f"no {tool}: Kafka needs Java 17 and Maven (apt-get install openjdk-17-jre-headless maven)")
    wanted = (HERE / "pom.xml").read_text()
    stamp = HOME / "fetched.xml"
    if stamp.exists() and stamp.read_text() == wanted:
        return
    shutil.rmtree(HOME / "lib", ignore_errors=True)
    HOME.mkdir(parents=True, exist_ok=True)
    command = ["mvn", "-q", "-B", "-f", str(HERE / "pom.xml"), "dependency:copy-dependencies"]
    answer = subprocess.run(
        [*command, "-DincludeScope=runtime", f"-DoutputDirectory={HOME / 'lib'}"],
        capture_output=True,
        text=True,
        check=False,
    )
    if answer.returncode:
        lines = [line for line in answer.stdout.splitlines() if "ERROR" in line] or ["no reason given"]
        raise Failed(f"Maven could not fetch Kafka: {lines[0][:300]}")
    stamp.write_text(wanted)


def launch() -> dict[str, Any]:
    """Start a fresh broker (its data begin empty) on free ports and wait until it answers."""
    shutil.rmtree(HOME / "data", ignore_errors=True)
    LOG.unlink(missing_ok=True)
    ports = {"broker": free_port(), "secure": free_port(), "controller": free_port()}
    password, certificate = secrets.token_hex(16), HOME / "certificate.pem"
    properties = HOME / "server.properties"
    properties.touch(0o600)
    keystore = _keystore(password, certificate)
    properties.write_text(
        _PROPERTIES.format(**ports, data=HOME / "data", keystore=keystore, user=USER, password=password)
    )
    java = ["java", *MEMORY, f"-Dlog4j2.configurationFile={HERE / 'log4j2.properties'}", "-cp", f"{HOME / 'lib'}/*"]
    identity = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
    formatted = subprocess.run(
        [*java, "kafka.tools.StorageTool", "format", "-t", identity, "-c", str(properties)],
        capture_output=True,
        text=True,
        check=False,
    )
    if formatted.returncode:
        said = (formatted.stderr or formatted.stdout).strip().splitlines() or ["no reason given"]
        raise Failed(f"Kafka's storage could not be formatted: {said[-1][:300]}")
    facts = start([*java, "kafka.Kafka", str(properties)], HOME, LOG, {})
    facts["bootstrap"] = f"127.0.0.1:{ports['broker']}"
    facts["secure"] = {
        "bootstrap": f"127.0.0.1:{ports['secure']}",
        "user": USER,
        "password": password,
        "certificate": str(certificate),
    }
    await_health("Kafka", facts, healthy, START_SECONDS, LOG)
    return facts


def _keystore(password: str, certificate: Path) -> Path:
    """A new key of the broker, signed by itself; its certificate goes to that file, for clients to trust."""
    keystore = HOME / "keystore.p12"
    keystore.unlink(missing_ok=True)
    keytool = [
        "keytool",
        "-keystore",
        str(keystore),
        "-storetype",
        "PKCS12",
        "-storepass",
        password,
        "-alias",
        "broker",
    ]
    made = ["-genkeypair", "-keyalg", "EC", "-validity", "30", "-dname", "CN=127.0.0.1", "-ext", "san=ip:127.0.0.1"]
    for command in ([*keytool, *made], [*keytool, "-exportcert", "-rfc", "-file", str(certificate)]):
        answer = subprocess.run(command, capture_output=True, text=True, check=False)
        if answer.returncode:
            raise Failed(f"keytool made no certificate for Kafka: {(answer.stdout or answer.stderr).strip()[:300]}")
    return keystore


def healthy(facts: dict[str, Any]) -> None:
    """Raises unless the broker answers, creates topics and looks up offsets."""
    admin = AdminClient({"bootstrap.servers": facts["bootstrap"], "log_level": 0, "socket.timeout.ms": 5000})
    if "services_probe" in admin.list_topics(timeout=5).topics:
        return
    admin.create_topics([NewTopic("services_probe", 1, 1)], request_timeout=10)["services_probe"].result(15)
