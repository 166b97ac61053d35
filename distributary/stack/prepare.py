"""What must be there before a job runs: the topics, the schema, the folder of datanets."""

from collections.abc import Collection

from distributary.datanets.durable import make_folder
from distributary.settings import Settings


def prepare(settings: Settings, names: Collection[str]) -> None:
    """Creates missing topics and brings the schema up to date; safe to repeat.

    In the lake of the home folder the folder of datanets is made, so that a datanet can be unknown.
    In a lake of the user's own it is not: where that is not mounted, the folder must be missing.

    Args:
        settings: endpoints, ours or the user's own.
        names: the servers to prepare, of `kafka` and `postgres`.

    Raises:
        DistributaryError: a server does not answer, or a topic or the schema is not ours.
    """
    if settings.lake is None:
        make_folder(settings.lake_path / "datanets")
    if "kafka" in names:
        from distributary.kafka import create_topics

        create_topics(settings)
    if "postgres" in names:
        from distributary.store import migrate

        migrate(settings.require("postgres"))
