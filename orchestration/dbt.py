"""Runs dbt in this process: the parsed project is kept, so a posting does not pay for parsing.

`settlement` builds one posting into the schema `rewards`; `analyst` builds everything that is not
built yet into `reports`, as `dbt build` by hand does.
"""

import json
import os
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal
from urllib.parse import unquote, urlsplit

from distributary.errors import DistributaryError

Target = Literal["settlement", "analyst"]

_ROOT: Final = Path(__file__).parents[1]
# In an installed package the project stands inside of it.
PROJECT: Final = next(
    (p for p in (_ROOT / "dbt_project", _ROOT / "distributary" / "dbt_project") if p.is_dir()),
    _ROOT / "dbt_project",
)
NAMED_MAX: Final = 20  # failures named in an error; the rest is in dbt's log
_ENVIRONMENT: Final = threading.Lock()


@dataclass(frozen=True)
class Node:
    """A model or test that was run: name, kind (`model`, `test`), status, seconds, failing rows."""

    name: str
    kind: str
    status: str
    seconds: float
    failures: int
    message: str

    @property
    def has_failed(self) -> bool:
        """Whether it stops a settlement."""
        return self.status in ("error", "fail", "runtime error", "skipped")


@dataclass(frozen=True)
class Built:
    """What one invocation of dbt did, in order of completion."""

    nodes: tuple[Node, ...]

    @property
    def tests(self) -> tuple[Node, ...]:
        """The tests, unit tests included."""
        return tuple(node for node in self.nodes if node.kind != "model")

    @property
    def model_seconds(self) -> float:
        """Time of all models; they run side by side, so the clock shows less."""
        return sum(node.seconds for node in self.nodes if node.kind == "model")


@dataclass
class Dbt:
    """dbt for one database and target.

    Attributes:
        dsn: a Postgres URI of a login that may take the target's role.
        folder: where dbt keeps its artefacts and logs; one process at a time.
        target: whose schema is built.
        threads: models at a time.
        project: the dbt project.
    """

    dsn: str = field(repr=False)
    folder: Path
    target: Target = "settlement"
    threads: int = 4
    project: Path = PROJECT
    _manifest: Any = field(default=None, init=False, repr=False)

    def build(self, posting_id: int | None = None, *, unit_tests: bool = False) -> Built:
        """Builds all models of a posting and runs all tests on them.

        Args:
            posting_id: the posting; None builds all that is not built yet, for analysts only.
            unit_tests: whether the unit tests of the models run as well: they test the code.

        Raises:
            DistributaryError: `dbt_failed`, with the names of what failed.
        """
        skipped = () if unit_tests else ("--exclude-resource-type", "unit_test")
        return self.invoke("build", *skipped, posting_id=posting_id)

    def run(
        self,
        posting_id: int | None = None,
        *,
        select: Sequence[str] = (),
        full_refresh: bool = False,
    ) -> Built:
        """Builds models without tests; `select` as on dbt's command line, by default all.

        Raises:
            DistributaryError: `dbt_failed`.
        """
        chosen = ("--select", *select) if select else ()
        refresh = ("--full-refresh",) if full_refresh else ()
        return self.invoke("run", *chosen, *refresh, posting_id=posting_id)

    def invoke(self, command: str, *args: str, posting_id: int | None = None) -> Built:
        """Runs one dbt command.

        Raises:
            DistributaryError: `dbt_failed`; `no_posting`: settlement builds a posting only.
        """
        if posting_id is None and self.target == "settlement":
            raise DistributaryError(
                "Settlement builds one posting at a time: give its number.", code="no_posting"
            )
        variables = json.dumps({"posting_id": posting_id})
        with _ENVIRONMENT, _environment(self.environment()):
            if self._manifest is None:
                self._manifest = _invoke(None, ["parse", *self._options()]).result
            # A run writes into the manifest it is given.
            given = self._manifest.deepcopy()
            outcome = _invoke(given, [command, *args, "--vars", variables, *self._options()])
        built = Built(tuple(map(_node, getattr(outcome.result, "results", None) or ())))
        failed = [node for node in built.nodes if node.has_failed]
        if failed or not outcome.success:
            raise _failed(failed, outcome.exception)
        return built

    def environment(self) -> dict[str, str]:
        """The variables that the documented profile reads."""
        url = urlsplit(self.dsn)
        return {
            "DBT_TARGET": self.target,
            "DBT_HOST": url.hostname or "127.0.0.1",
            "DBT_PORT": str(url.port or 5432),
            "DBT_DATABASE": unquote(url.path.lstrip("/")),
            "DBT_USER": unquote(url.username or ""),
            "DBT_ENV_SECRET_PASSWORD": unquote(url.password or ""),
            "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
        }

    def _options(self) -> list[str]:
        project = str(self.project)
        return [
            *("--project-dir", project, "--profiles-dir", project, "--target", self.target),
            *("--target-path", str(self.folder / "target"), "--log-path", str(self.folder)),
            *("--threads", str(self.threads), "--log-level", "none", "--log-level-file", "info"),
            *("--no-version-check", "--no-use-colors", "--quiet"),
        ]


def _invoke(manifest: Any, argv: list[str]) -> Any:
    """Dbt's result.

    Raises:
        DistributaryError: `dbt_failed`: dbt raised before it ran anything.
    """
    from dbt.cli.main import dbtRunner

    try:
        outcome = dbtRunner(manifest=manifest).invoke(argv)
    finally:
        _close_logs()
    if outcome.result is None:
        raise _failed([], outcome.exception)
    return outcome


def _close_logs() -> None:
    """Dbt opens its log anew with each invocation, and closes none."""
    from dbt_common.events.event_manager_client import get_event_manager

    for logger in get_event_manager().loggers:
        written_by: Any = getattr(logger, "_python_logger", None)
        for handler in list(getattr(written_by, "handlers", ())):
            written_by.removeHandler(handler)
            handler.close()


@contextmanager
def _environment(variables: Mapping[str, str]) -> Iterator[None]:
    """Dbt reads its profile from the process' environment, which gets back what it had."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _node(result: Any) -> Node:
    return Node(
        name=result.node.name,
        kind=str(result.node.resource_type.value),
        status=str(getattr(result.status, "value", result.status)),
        seconds=float(result.execution_time),
        failures=int(result.failures or 0),
        message=str(result.message or ""),
    )


def _failed(failed: Sequence[Node], exception: BaseException | None) -> DistributaryError:
    first = [node for node in failed if node.status != "skipped"] or list(failed)
    reason = next((node.message for node in first if node.message), str(exception or ""))
    return DistributaryError(
        "dbt failed, so nothing is settled; its log has the details: "
        f"{' '.join(reason.split())[:300]}",
        value=", ".join(node.name for node in first[:NAMED_MAX]) or None,
        code="dbt_failed",
    )
