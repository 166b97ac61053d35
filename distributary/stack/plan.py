"""Which servers there are, and how each is fetched and described."""

from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from distributary.errors import InputError
from distributary.settings import Settings
from distributary.stack import anvil, kafka, postgres, prism, triton, triton_environment, valkey
from distributary.stack.server import Report, Server, Site


@dataclass(frozen=True)
class Recipe:
    """How one server comes to be.

    Attributes:
        fetch: brings its files to the cache and returns where they are.
        describe: its description for one site, given what `fetch` returned; takes its ports.
    """

    fetch: Callable[[Path, Report], Path]
    describe: Callable[[Site, Path], Server]


RECIPES = {
    "kafka": Recipe(kafka.fetch, kafka.describe),
    "postgres": Recipe(postgres.fetch, postgres.describe),
    "valkey": Recipe(valkey.fetch, valkey.describe),
    "triton": Recipe(triton_environment.fetch, triton.describe),
    "anvil": Recipe(anvil.fetch, anvil.describe),
}
PROGRAMS = {"prism": prism.fetch}  # fetched like a server, but started by whoever uses it
NAMES = (*RECIPES, *PROGRAMS)


def fetch_all(names: Iterable[str], cache: Path, report: Report) -> dict[str, Path]:
    """Fetches servers and programs, together; where each one's files are.

    Raises:
        UnavailableError: one could not be fetched.
    """
    fetches = {name: recipe.fetch for name, recipe in RECIPES.items()} | PROGRAMS
    with ThreadPoolExecutor(max_workers=len(NAMES)) as pool:
        running = {name: pool.submit(fetches[name], cache, report) for name in names}
        return {name: future.result() for name, future in running.items()}


def with_endpoints(settings: Settings, endpoints: Mapping[str, str]) -> Settings:
    """`settings` with some endpoints replaced."""
    values: dict[str, Any] = dict(endpoints)
    return replace(settings, **values)


def parse_names(text: str) -> tuple[str, ...]:
    """Server names out of `kafka,postgres`, in the order of `NAMES`.

    Raises:
        InputError: one of them is no server.
    """
    given = {part.strip() for part in text.split(",") if part.strip()}
    for name in sorted(given - set(NAMES)):
        raise InputError(f"Name servers out of: {', '.join(NAMES)}.", value=name)
    return tuple(name for name in NAMES if name in given)
