"""Commands: up, down, status, logs, doctor."""

import os
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from distributary.cli.output import JsonOption, messages, print_json, print_table, results
from distributary.errors import ExitCode

if TYPE_CHECKING:
    from collections.abc import Iterator

    from distributary.stack.endpoints import Finding, ModelState
    from distributary.stack.report import ServerStatus
    from distributary.stack.server import Report

LINES_SHOWN = 50


def register(app: typer.Typer) -> None:
    """Adds the commands of this group."""
    for command in (up, down, status, logs, doctor):
        app.command()(command)


def up(
    only: Annotated[
        str, typer.Option(help="Start only these servers.", metavar="NAME[,NAME]")
    ] = "",
    models: Annotated[
        Path | None, typer.Option(help="Triton model repository; default: the project's own.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Start the local servers, or those that are missing; fetch them the first time.

    Topics are created and the schema is brought up to date, here and on servers of your own; the
    contract is deployed on the local chain, once.
    A server whose endpoint is given by environment variable is not started, only checked.

    Example: distributary up --only kafka,postgres,valkey
    """
    up_quietly(only, models)
    _show_status(as_json)


def up_quietly(only: str = "", models: Path | None = None) -> None:
    """What `up` does, without its table."""
    from distributary.settings import PREFIX, load_settings
    from distributary.stack.control import split_given, start
    from distributary.stack.plan import NAMES, parse_names
    from distributary.stack.prepare import prepare
    from distributary.stack.server import Site

    settings = load_settings()
    names = parse_names(only) if only else NAMES
    ours, given = split_given(names, os.environ)
    if ours:
        with _progress() as report:
            start(Site.of(settings, models), ours, report)
    if given:
        _fail_on(_endpoint_findings(given))
    with messages.status("preparing topics and schema"):
        prepare(load_settings(), names)
    if "anvil" in ours and not os.environ.get(f"{PREFIX}CONTRACT"):
        _deploy()


def _deploy() -> None:
    """Sees that the local chain has the contract, before anything is signed for it."""
    from distributary.settings import load_settings
    from orchestration.chain.deploy import deploy_local

    with messages.status("deploying the contract on the local chain"):
        deploy_local(load_settings())


def down(as_json: JsonOption = False) -> None:
    """Stop the local servers; their data stays.

    Example: distributary down
    """
    from distributary.settings import load_settings
    from distributary.stack.control import stop

    with messages.status("stopping"):
        stopped = stop(load_settings().home.resolve())
    if as_json:
        print_json({"stopped": stopped})
    else:
        results.print("Stopped." if stopped else "Nothing was running.")


def status(as_json: JsonOption = False) -> None:
    """Show what each server is doing.

    Example: distributary status --json
    """
    _show_status(as_json)


def logs(
    name: Annotated[
        str, typer.Argument(help="kafka, postgres, valkey, triton, anvil or supervisor.")
    ],
    follow: Annotated[bool, typer.Option("-f", "--follow", help="Go on as lines come.")] = False,
    lines: Annotated[int, typer.Option("-n", "--lines", min=0, help="How many.")] = LINES_SHOWN,
) -> None:
    """Print the last lines of a server's log.

    Example: distributary logs kafka -n 20 -f
    """
    from distributary.settings import load_settings
    from distributary.stack.logs import follow_lines, last_lines, log_file

    path = log_file(load_settings().home.resolve(), name)
    for line in last_lines(path, lines):
        typer.echo(line)
    if follow:
        for line in follow_lines(path):
            typer.echo(line)


def doctor(as_json: JsonOption = False) -> None:
    """Talk to each server, look at the machine, and say what is wrong.

    Exit code 4 when something that is needed does not work.

    Example: distributary doctor
    """
    from distributary.settings import load_settings
    from distributary.stack.machine import check_machine
    from distributary.stack.readiness import check_readiness
    from distributary.stack.state import supervisor_pid

    settings = load_settings()
    home = settings.home.resolve()
    with messages.status("checking"):
        findings = check_machine(home, settings.cache, stopped=supervisor_pid(home) is None)
        endpoints = _endpoint_findings(())
        answering = {finding.name for finding in endpoints if finding.ok}
        findings += endpoints + check_readiness(settings, answering, _model_index)
    if as_json:
        print_json([asdict(finding) for finding in findings])
    else:
        rows = [(f.name, "ok" if f.ok else "WRONG", f.text, f.advice) for f in findings]
        print_table("Doctor", ("what", "", "seen", "what to do"), rows)
    if not all(finding.ok for finding in findings):
        raise typer.Exit(int(ExitCode.UNAVAILABLE))


def _endpoint_findings(names: tuple[str, ...]) -> "list[Finding]":
    """Findings about endpoints, of `names` only where there are any."""
    from distributary.settings import load_settings
    from distributary.stack.control import PROVIDES
    from distributary.stack.endpoints import check_endpoints

    wanted = {endpoint for name in names for endpoint in PROVIDES[name]}
    findings = check_endpoints(load_settings(), os.environ, _model_index)
    return [finding for finding in findings if not names or finding.name in wanted]


def _fail_on(findings: "list[Finding]") -> None:
    from distributary.errors import UnavailableError

    for finding in findings:
        if not finding.ok:
            raise UnavailableError(f"{finding.name} {finding.text}. {finding.advice}")


def _model_index(address: str) -> "list[ModelState]":
    from tritonclient.grpc import InferenceServerClient
    from tritonclient.utils import InferenceServerException

    from distributary.stack.endpoints import ANSWER_S_MAX, ModelState

    try:
        with InferenceServerClient(address) as client:
            index = client.get_model_repository_index(client_timeout=ANSWER_S_MAX)
    except InferenceServerException as error:
        raise OSError(f"{address}: {error.message()}") from error
    return [ModelState(m.name, m.version, m.state == "READY", m.reason) for m in index.models]


def _show_status(as_json: bool) -> None:
    from dataclasses import fields

    from distributary.settings import PREFIX, Settings, load_settings
    from distributary.stack.report import report_status

    names = [field.name for field in fields(Settings) if field.metadata.get("endpoint")]
    given = {n: os.environ[PREFIX + n.upper()] for n in names if os.environ.get(PREFIX + n.upper())}
    lines = report_status(load_settings().home.resolve(), given)
    if as_json:
        print_json([asdict(line) for line in lines])
        return
    columns = ("server", "state", "pid", "endpoint", "up", "restarts", "memory")
    print_table("Servers", columns, [_row(line) for line in lines])
    for line in lines:
        if line.reason:
            messages.print(f"{line.name}: {line.reason}", markup=False)


def _row(line: "ServerStatus") -> tuple[Any, ...]:
    from datetime import timedelta

    from distributary.stack.report import brief

    uptime = None if line.uptime_s is None else timedelta(seconds=line.uptime_s)
    memory = None if line.memory_bytes is None else f"{line.memory_bytes / 1e6:.0f} MB"
    endpoint = brief(line.endpoint) or None
    return (line.name, line.state, line.pid, endpoint, uptime, line.restarts, memory)


@contextmanager
def _progress() -> "Iterator[Report]":
    """One line per server on a terminal: what is being done, and how far it is."""
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    tasks: dict[str, Any] = {}
    with Progress(
        *columns, console=messages, transient=True, disable=not messages.is_terminal
    ) as display:

        def report(server: str, what: str, fraction: float | None) -> None:
            if server not in tasks:
                tasks[server] = display.add_task(server, total=None)
            total = None if fraction is None else 1.0
            text = f"{server}: {what}"
            display.update(tasks[server], description=text, total=total, completed=fraction or 0.0)

        yield report
