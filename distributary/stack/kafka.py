"""Apache Kafka: one node in KRaft mode, its jars from a Maven repository."""

import base64
import hashlib
import shutil
import subprocess
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from distributary.errors import UnavailableError
from distributary.stack.files import build_once, write_atomically
from distributary.stack.java import find_java
from distributary.stack.ports import keep_ports, listening
from distributary.stack.process import child_environment
from distributary.stack.server import HOST, Report, Server, Site

VERSION = "4.1.0"
COORDINATES = (f"org.apache.kafka:kafka_2.13:{VERSION}", "org.slf4j:slf4j-simple:1.7.36")
DOWNLOADS_AT_ONCE = 8
# Names and SHA-256 of the 46 jars that these coordinates resolved to when they were tried out.
JARS_SHA256 = "761379bf49cac30792df08bc54e3d687614b0854f7d91cad732afe590164cb7b"
HEAP = "384m"
# After a crash the controller refuses the broker until its old session ends (9 s by default).
SESSION_MS = 3_000
HEARTBEAT_MS = 500

# One node, so every internal topic has one replica; retention is set per topic, not here.
CONFIG = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@{host}:{controller_port}
controller.listener.names=CONTROLLER
listeners=PLAINTEXT://{host}:{port},CONTROLLER://{host}:{controller_port}
advertised.listeners=PLAINTEXT://{host}:{port}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
inter.broker.listener.name=PLAINTEXT
log.dirs={data}
auto.create.topics.enable=false
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=4
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
share.coordinator.state.topic.num.partitions=1
group.initial.rebalance.delay.ms=0
broker.session.timeout.ms={session_ms}
broker.heartbeat.interval.ms={heartbeat_ms}
"""


def digest(folder: Path) -> str:
    """SHA-256 over the names and contents of a folder's files, in hex."""
    total = hashlib.sha256()
    for path in sorted(folder.iterdir()):
        total.update(f"{path.name} {hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
    return total.hexdigest()


def _download_jars(folder: Path, report: Report) -> None:
    # Only jgo's resolver: its environments would download a whole JDK where there is no Java.
    from jgo.maven import MavenContext

    report("kafka", f"fetching Kafka {VERSION}", 0.0)
    repository = folder / "repository"
    context = MavenContext(repo_cache=repository, timeout=120)
    wanted = [context.create_dependency(coordinate) for coordinate in COORDINATES]
    direct, indirect = context.resolver.resolve(wanted)
    needed = [*direct, *(d for d in indirect if d.scope in ("compile", "runtime"))]
    (folder / "jars").mkdir()
    with ThreadPoolExecutor(DOWNLOADS_AT_ONCE) as pool:
        downloads = pool.map(lambda dependency: dependency.artifact.resolve(), needed)
        for number, jar in enumerate(downloads, start=1):
            jar.rename(folder / "jars" / jar.name)
            report("kafka", f"fetching Kafka {VERSION}", number / len(needed))
    shutil.rmtree(repository)


def _fetch_jars(scratch: Path, report: Report) -> None:
    import requests

    try:
        _download_jars(scratch, report)
    except (requests.RequestException, RuntimeError) as error:
        raise UnavailableError(
            f"Kafka's jars could not be fetched from the Maven repository: {error}"
        ) from error
    found = digest(scratch / "jars")
    if found != JARS_SHA256:
        raise UnavailableError("The jars fetched for Kafka are not the expected ones.", value=found)


def fetch(cache: Path, report: Report) -> Path:
    """The folder of Kafka's jars; 46 files, about 110 MB, from a Maven repository."""
    folder = build_once(cache / f"kafka-{VERSION}", lambda to: _fetch_jars(to, report))
    return folder / "jars"


def _ready(port: int) -> str | None:
    if not listening(port):
        return "nothing listens yet"
    from confluent_kafka import KafkaException
    from confluent_kafka.admin import AdminClient

    client = AdminClient({"bootstrap.servers": f"{HOST}:{port}", "log_level": 0})
    try:
        brokers = client.list_topics(timeout=2.0).brokers
    except KafkaException as error:
        return str(error)
    return None if brokers else "no broker is registered yet"


def cluster_id(make: Callable[[], uuid.UUID] = uuid.uuid4) -> str:
    """A new cluster's id; as in Kafka's own, no dash is first: it would be read as an option."""
    while True:
        made = base64.urlsafe_b64encode(make().bytes).rstrip(b"=").decode()
        if not made.startswith("-"):
            return made


def _format(java: list[str], config: Path, folder: Path) -> None:
    result = subprocess.run(
        [*java, "kafka.tools.StorageTool", "format", "-t", cluster_id(), "-c", str(config)],
        cwd=folder,
        env=child_environment({}),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    if result.returncode != 0:
        raise UnavailableError(
            "Kafka could not format its folder.", value=(result.stdout + result.stderr)[-500:]
        )


def describe(site: Site, jars: Path) -> Server:
    """Kafka of one installation."""
    folder = site.home / "kafka"
    ports = keep_ports(site.home, ["kafka", "kafka_controller"])
    config, data = folder / "server.properties", folder / "data"
    java = [
        str(find_java()),
        f"-Xmx{HEAP}",
        f"-Xms{HEAP}",
        "-XX:+ExitOnOutOfMemoryError",
        "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
        "-Dorg.slf4j.simpleLogger.showDateTime=true",
        "-Dorg.slf4j.simpleLogger.dateTimeFormat=yyyy-MM-dd HH:mm:ss,SSS",
        "-cp",
        f"{jars}/*",
    ]

    def prepare() -> None:
        folder.mkdir(parents=True, exist_ok=True)
        text = CONFIG.format(
            host=HOST,
            port=ports["kafka"],
            controller_port=ports["kafka_controller"],
            data=data,
            session_ms=SESSION_MS,
            heartbeat_ms=HEARTBEAT_MS,
        )
        write_atomically(config, text)
        if not (data / "meta.properties").exists():
            _format(java, config, folder)

    return Server(
        name="kafka",
        argv=(*java, "kafka.Kafka", str(config)),
        folder=folder,
        endpoints={"kafka": f"{HOST}:{ports['kafka']}"},
        ports=(ports["kafka"], ports["kafka_controller"]),
        prepare=prepare,
        ready=lambda: _ready(ports["kafka"]),
        stop_s_max=30.0,
    )
