"""The servers as children of this process: for tests, benchmarks and experiments."""

from collections.abc import Iterable
from pathlib import Path
from types import TracebackType

from distributary.errors import InputError
from distributary.settings import Settings
from distributary.stack.plan import RECIPES, with_endpoints
from distributary.stack.process import ServerProcess, wait_ready
from distributary.stack.server import Report, Site, quiet


class LocalStack:
    """Starts servers in a folder of their own and ends them with the `with` block.

    Nothing is restarted here: a test that kills a server says when it comes back, on the same
    port and with the same data. Use it from one thread that lives as long as the servers.
    """

    def __init__(
        self,
        home: Path,
        only: Iterable[str],
        cache: Path,
        models: Path | None = None,
        report: Report = quiet,
    ) -> None:
        """Describes the stack; nothing starts before `with` or `start`.

        Args:
            home: folder of data, logs and ports.
            only: the servers that `with` starts; others may be started later.
            cache: where downloaded servers are kept.
            models: Triton model repository; default the project's own.
            report: told about what takes long.
        """
        self._only = tuple(only)
        self._report = report
        self._processes: dict[str, ServerProcess] = {}
        self._settings = Settings(home=home.resolve(), cache=cache.resolve())
        self.site = Site.of(self._settings, models)

    @property
    def settings(self) -> Settings:
        """Settings with the endpoints of every server started so far."""
        return self._settings

    def start(self, *names: str) -> None:
        """Starts servers that do not run, together, and waits until each answers.

        Raises:
            UnavailableError: one did not start; its log is named.
        """
        started = []
        for name in names:
            running = self._processes.get(name)
            if running is None or running.exit_code is not None:
                started.append(self._spawn(name))
        for process in started:
            wait_ready(process, self.log(process.server.name))

    def _spawn(self, name: str) -> ServerProcess:
        if name in self._processes:
            server = self._processes[name].server  # the same ports and folders as before
        else:
            recipe = RECIPES[name]
            server = recipe.describe(self.site, recipe.fetch(self.site.cache, self._report))
        server.prepare()
        process = self._processes[name] = ServerProcess(server, self.log(name))
        self._settings = with_endpoints(self._settings, server.endpoints)
        return process

    def log(self, name: str) -> Path:
        """The log file of a server."""
        return self.site.logs / f"{name}.log"

    def pid(self, name: str) -> int:
        """The number of a server's main process.

        Raises:
            InputError: it was never started.
        """
        return self._process(name).pid

    def stop(self, name: str, *, immediate: bool = False) -> None:
        """Stops a server; `immediate` as `pg_ctl stop -m immediate`, else orderly."""
        self._process(name).stop(immediate=immediate)

    def kill(self, name: str) -> None:
        """`kill -9` of a server's main process; returns when it and its children are gone."""
        self._process(name).kill()

    def _process(self, name: str) -> ServerProcess:
        if name not in self._processes:
            raise InputError("That server was not started here.", value=name)
        return self._processes[name]

    def __enter__(self) -> "LocalStack":
        try:
            self.start(*self._only)
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for process in reversed(self._processes.values()):
            process.stop()
