"""Whether each endpoint really answers, and what to do when it does not."""

import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from distributary.errors import DistributaryError
from distributary.settings import PREFIX, Settings

ANSWER_S_MAX = 5
LOGS = {"triton_trusted": "triton", "chain": "anvil"}  # where it is not the endpoint's name


@dataclass(frozen=True)
class Finding:
    """What was found out about one thing.

    Attributes:
        name: what was looked at.
        ok: whether the system can work with it.
        text: what was seen, in words.
        advice: what to do about it; empty when there is nothing to do.
    """

    name: str
    ok: bool
    text: str
    advice: str = ""


@dataclass(frozen=True)
class ModelState:
    """One model of a Triton node."""

    name: str
    version: str
    ready: bool
    reason: str


ModelIndex = Callable[[str], list[ModelState]]
"""Asks the Triton at `host:port` for its models; raises OSError when it does not answer."""


def check_kafka(settings: Settings) -> str:
    """Asks for the cluster's metadata; what it is, in words."""
    from confluent_kafka import KafkaException
    from confluent_kafka.admin import AdminClient

    client = AdminClient({"bootstrap.servers": settings.kafka, "log_level": 0})
    try:
        metadata = client.list_topics(timeout=ANSWER_S_MAX)
    except KafkaException as error:
        raise OSError(error.args[0].str()) from error
    topics = [name for name in metadata.topics if not name.startswith("__")]
    return f"{len(metadata.brokers)} broker(s), {len(topics)} topic(s)"


def check_postgres(settings: Settings) -> str:
    """Reads the server's version and the revision of our schema."""
    import psycopg

    from distributary.store.schema import read_revision

    try:
        with psycopg.connect(settings.postgres, connect_timeout=ANSWER_S_MAX) as connection:
            version = connection.info.server_version // 10_000
            revision = read_revision(connection)
    except psycopg.ProgrammingError as error:
        # libpq's own words repeat the URI, password included.
        raise OSError("it is no URI, postgresql://user@host:port/database") from error
    except psycopg.Error as error:
        raise OSError(" ".join(str(error).split())) from error
    if revision is None:
        return f"PostgreSQL {version}, no tables of ours yet"
    return f"PostgreSQL {version}, schema at revision {revision}"


def check_valkey(settings: Settings) -> str:
    """Pings it, and reads its version."""
    import redis

    options = {"socket_timeout": ANSWER_S_MAX, "socket_connect_timeout": ANSWER_S_MAX}
    try:
        with redis.Redis.from_url(settings.valkey, **options) as client:
            client.ping()
            information = client.info("server")
    except (redis.RedisError, ValueError) as error:
        raise OSError(str(error)) from error
    return f"version {information.get('valkey_version') or information.get('redis_version')}"


def check_prism(settings: Settings) -> str:
    """Runs the program for its help."""
    program = Path(settings.prism)
    if not program.is_file():
        raise OSError(f"there is no file {program}")
    result = subprocess.run(
        [str(program), "--help"], capture_output=True, text=True, timeout=30, check=False
    )
    if "Usage" not in result.stdout + result.stderr:
        raise OSError("the program does not start: " + result.stderr.strip()[-200:])
    return str(program)


def _describe_models(address: str, index: ModelIndex) -> str:
    models = index(address)
    broken = [f"{m.name} ({m.reason})" for m in models if not m.ready]
    if broken:
        raise OSError("not ready: " + ", ".join(broken))
    return "models " + (", ".join(f"{m.name} v{m.version}" for m in models) or "none")


def check_triton(settings: Settings, index: ModelIndex) -> str:
    """Asks every node for its models."""
    nodes = settings.nodes()
    return "; ".join(f"{name}: {_describe_models(nodes[name], index)}" for name in nodes)


def check_triton_trusted(settings: Settings, index: ModelIndex) -> str:
    """Asks the trusted Triton for its models; `attribute` must be one of them."""
    models = {model.name for model in index(settings.triton_trusted)}
    if "attribute" not in models:
        raise OSError("it has no model `attribute`")
    return _describe_models(settings.triton_trusted, index)


def check_chain(settings: Settings) -> str:
    """Asks the node for its chain, its head and the contract's code."""
    from distributary.stack.anvil import ask

    chain_id = int(ask(settings.chain, "eth_chainId"), 16)
    if chain_id != settings.chain_id:
        raise OSError(f"it is chain {chain_id}, and {PREFIX}CHAIN_ID says {settings.chain_id}")
    head = int(ask(settings.chain, "eth_blockNumber"), 16)
    if not settings.has_contract:
        return f"chain {chain_id}, block {head}, no contract configured"
    if ask(settings.chain, "eth_getCode", settings.contract, "latest") == "0x":
        raise OSError(f"there is no contract at {settings.contract}")
    return f"chain {chain_id}, block {head}, contract {settings.contract}"


def _find(name: str, check: Callable[[], str], *, given: bool) -> Finding:
    try:
        return Finding(name, True, check())
    except (OSError, DistributaryError, subprocess.SubprocessError) as error:
        log = LOGS.get(name, name)
        advice = (
            f"Check {PREFIX}{name.upper()} and the server behind it."
            if given
            else f"Run `distributary up`; if it runs, read `distributary logs {log}`."
        )
        return Finding(name, False, f"does not work: {error}", advice)


def check_endpoints(
    settings: Settings, environ: Mapping[str, str], index: ModelIndex
) -> list[Finding]:
    """Talks to every endpoint; one finding each, in a fixed order."""
    checks: dict[str, Callable[[], str]] = {
        "kafka": lambda: check_kafka(settings),
        "postgres": lambda: check_postgres(settings),
        "valkey": lambda: check_valkey(settings),
        "triton": lambda: check_triton(settings, index),
        "triton_trusted": lambda: check_triton_trusted(settings, index),
        "prism": lambda: check_prism(settings),
        "chain": lambda: check_chain(settings),
    }
    findings = []
    for name, check in checks.items():
        if getattr(settings, name):
            given = bool(environ.get(PREFIX + name.upper()))
            findings.append(_find(name, check, given=given))
        else:
            advice = f"Run `distributary up`, or set {PREFIX}{name.upper()}."
            findings.append(Finding(name, False, "no endpoint is known", advice))
    return findings
