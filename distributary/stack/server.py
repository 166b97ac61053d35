"""What the stack knows of a server: plain descriptions, no process yet."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from signal import Signals

from distributary.settings import Settings

HOST = "127.0.0.1"
PROJECT_MODELS = Path(__file__).parents[2] / "triton_models"

Report = Callable[[str, str, float | None], None]
"""Called with (server, what is being done, fraction done or None where it is not known)."""


def quiet(_server: str, _what: str, _fraction: float | None) -> None:
    """A `Report` that shows nothing."""


@dataclass(frozen=True)
class Site:
    """Where the servers of one installation live.

    Attributes:
        home: the installation's folder, absolute; every server has a folder of its own in it.
        cache: downloaded servers, absolute, shared by all installations of a user.
        models: the Triton model repository that is copied into `home` when Triton starts.
        lake: the lake folder that the models read datanets from.
    """

    home: Path
    cache: Path
    models: Path
    lake: Path

    @staticmethod
    def of(settings: Settings, models: Path | None = None) -> "Site":
        """The site of an installation; `models` defaults to the project's own models."""
        return Site(
            home=settings.home.resolve(),
            cache=settings.cache.expanduser().resolve(),
            models=(models or PROJECT_MODELS).resolve(),
            lake=settings.lake_path,
        )

    @property
    def logs(self) -> Path:
        """Folder of the logs, one file `NAME.log` per server."""
        return self.home / "logs"


@dataclass(frozen=True)
class Server:
    """One server process: how to prepare, start, check and stop it.

    Attributes:
        name: as on the command line and in the log's name.
        argv: the command line; the process keeps it, so it also identifies the process.
        environment: variables besides PATH, HOME and the locale.
        folder: its data, and its working folder.
        endpoints: the settings that it provides, by name.
        ports: the TCP ports it listens on.
        prepare: writes configuration and formats storage; safe to repeat.
        ready: None when the server answers, else why not, in words.
        stop_signal: asks for an orderly stop.
        immediate_signal: stops without finishing work, but leaves storage that recovers.
        stop_s_max: how long an orderly stop may take before it is killed.
        ready_s_max: how long it may take from start to ready.
        unprivileged: it refuses to run as root, so root starts it as `nobody`.
    """

    name: str
    argv: tuple[str, ...]
    folder: Path
    endpoints: Mapping[str, str]
    ports: tuple[int, ...]
    prepare: Callable[[], None]
    ready: Callable[[], str | None]
    environment: Mapping[str, str] = field(default_factory=dict)
    stop_signal: Signals = Signals.SIGTERM
    immediate_signal: Signals = Signals.SIGKILL
    stop_s_max: float = 20.0
    ready_s_max: float = 60.0
    unprivileged: bool = False
