"""Opens the registrar with the real registry, lake and index builder of an installation."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from distributary.datanets.building import BuildAttribution
from distributary.datanets.changes import Registrar
from distributary.settings import Settings
from distributary.store import connect

Report = Callable[[str, str, float | None], None]


def attribution_builder(cache: Path, report: Report) -> BuildAttribution:
    """The builder of attribution indexes, which works in Triton's own environment.

    Args:
        cache: folder of downloaded servers; the environment is fetched if it is not there.
        report: called with (server, step, share done 0 to 1 or None) while it is.

    Raises:
        UnavailableError: the environment cannot be fetched.
    """
    from distributary.attribution.index import build_index
    from distributary.stack.triton_environment import fetch

    python = fetch(cache, report) / "bin" / "python"

    def build(documents: list[tuple[str, str]], out: Path, manifest_hash: str) -> None:
        build_index(python, documents, out, manifest_hash)

    return build


@contextmanager
def open_registrar(
    settings: Settings,
    report: Report,
    on_stored: Callable[[], object] = lambda: None,
    on_step: Callable[[str], object] = lambda _: None,
) -> Iterator[Registrar]:
    """A registrar with a connection of its own; see `Registrar` for the callbacks.

    Raises:
        UnavailableError: Postgres does not answer, or Triton's environment cannot be fetched;
            nothing is registered then.
    """
    with connect(settings.require("postgres")) as connection:
        build_attribution = attribution_builder(settings.cache, report)
        yield Registrar(connection, settings.lake_path, build_attribution, on_stored, on_step)
