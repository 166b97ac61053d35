"""Whether servers that answer have what the jobs need: topics, tables, models."""

from collections.abc import Callable

import psycopg

from distributary.errors import DistributaryError
from distributary.models import MODELS
from distributary.settings import PREFIX, Settings
from distributary.stack.endpoints import Finding, ModelIndex

UP = "Run `distributary up`, which prepares it; look there for what it says."


def describe_topics(settings: Settings) -> str:
    """What the topics are; raises OSError where an invariant would break on them."""
    from distributary.kafka import check_topics
    from distributary.topics import topic_specs

    if problems := check_topics(settings):
        raise OSError(" ".join(problems))
    return f"{len(topic_specs(settings))} as they must be"


def describe_schema(settings: Settings) -> str:
    """The schema's revision; raises OSError where it is not the newest."""
    from distributary.store import connect
    from distributary.store.schema import newest_revision, read_revision

    newest = newest_revision()
    try:
        with connect(settings.postgres) as connection:
            found = read_revision(connection)
    except psycopg.Error as error:
        raise OSError(type(error).__name__) from error
    if found is None:
        raise OSError("the database has no tables of ours")
    if found != newest:
        raise OSError(f"the tables are at revision {found}, this version needs {newest}")
    return f"at revision {found}, the newest"


def describe_models(settings: Settings, index: ModelIndex) -> str:
    """What the nodes serve; raises OSError for a node that lacks a model.

    Every node may get a request for every model, and a node that lacks it refuses that request.
    """
    wanted = sorted({spec.triton_model for spec in MODELS.values()})
    lacking = []
    for name, address in settings.nodes().items():
        ready = {model.name for model in index(address) if model.ready}
        if missing := [model for model in wanted if model not in ready]:
            lacking.append(f"node {name} does not serve {', '.join(missing)}")
    if lacking:
        raise OSError("; ".join(lacking))
    return f"every node serves {', '.join(wanted)}"


def check_readiness(settings: Settings, answering: set[str], index: ModelIndex) -> list[Finding]:
    """One finding each for topics, schema and models, of the servers that answer.

    Args:
        settings: endpoints.
        answering: names of the endpoints that were found to work.
        index: asks a Triton for its models.
    """
    checks: list[tuple[str, str, Callable[[], str], str]] = [
        ("kafka", "topics", lambda: describe_topics(settings), UP),
        ("postgres", "schema", lambda: describe_schema(settings), UP),
        (
            "triton",
            "models",
            lambda: describe_models(settings, index),
            f"Serve the models of `triton_models` on every node of {PREFIX}TRITON, or take the "
            "node out of it.",
        ),
    ]
    return [
        _finding(name, check, advice)
        for endpoint, name, check, advice in checks
        if endpoint in answering
    ]


def _finding(name: str, check: Callable[[], str], advice: str) -> Finding:
    try:
        return Finding(name, True, check())
    except (OSError, DistributaryError) as error:
        return Finding(name, False, str(error), advice)
