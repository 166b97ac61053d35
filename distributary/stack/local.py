"""The servers as children of this process: for tests, benchmarks and experiments."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from types import TracebackType

from distributary.errors import InputError
from distributary.settings import Settings
from distributary.stack.plan import PROGRAMS, RECIPES, fetch_all, with_endpoints
from distributary.stack.process import ServerProcess, wait_ready
from distributary.stack.server import Report, Server, Site, quiet


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
        self._servers: dict[str, Server] = {}
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
        self._describe(name for name in names if name not in self._servers)
        started = [self._spawn(name) for name in names if name in self._servers]
        for process in started:
            wait_ready(process, self.log(process.server.name))

    def _describe(self, names: Iterable[str]) -> None:
        for name, files in fetch_all(names, self.site.cache, self._report).items():
            if name in PROGRAMS:
                endpoints: Mapping[str, str] = {name: str(files)}
            else:
                self._servers[name] = RECIPES[name].describe(self.site, files)
                endpoints = self._servers[name].endpoints
            self._settings = with_endpoints(self._settings, endpoints)

    def _spawn(self, name: str) -> ServerProcess:
        running = self._processes.get(name)
        if running is not None and running.exit_code is None:
            return running
        self._servers[name].prepare()
        self._processes[name] = ServerProcess(self._servers[name], self.log(name))
        return self._processes[name]

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
        for process in self._processes.values():
            process.stop(immediate=True)
