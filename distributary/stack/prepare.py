"""What must be in the servers before a job runs: the topics and the schema."""

from collections.abc import Collection

from distributary.settings import Settings


def prepare(settings: Settings, names: Collection[str]) -> None:
    """Creates missing topics and brings the schema up to date; safe to repeat.

    Args:
        settings: endpoints, ours or the user's own.
        names: the servers to prepare, of `kafka` and `postgres`.

    Raises:
        DistributaryError: a server does not answer, or a topic or the schema is not ours.
    """
    if "kafka" in names:
        from distributary.kafka import create_topics

        create_topics(settings)
    if "postgres" in names:
        from distributary.store import migrate

        migrate(settings.require("postgres"))
