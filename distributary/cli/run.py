"""Commands: run inference, attribution and accounts."""

import sys

import typer

_PASS_ON = {"allow_extra_args": True, "ignore_unknown_options": True}


def register(app: typer.Typer) -> None:
    """Adds the commands of this group."""
    group = typer.Typer(
        no_args_is_help=True,
        help="Run a job: restarted when it fails, drained by SIGTERM or Ctrl-C.",
    )
    group.command(context_settings=_PASS_ON)(inference)
    group.command(context_settings=_PASS_ON)(attribution)
    group.command()(accounts)
    app.add_typer(group, name="run")


def inference(context: typer.Context) -> None:
    """Answer requests: Kafka, Triton, Kafka.

    Further options go to Beam.

    Example: distributary run inference

    Example: distributary run inference --runner=FlinkRunner --flink_master=HOST:PORT
    """
    _supervise("pipelines.inference", context.args)


def attribution(context: typer.Context) -> None:
    """Record who earned what: answers from Kafka into Postgres and Parquet.

    Further options go to Beam.

    Example: distributary run attribution
    """
    _supervise("pipelines.attribution", context.args)


def accounts() -> None:
    """Keep `accounts.state` current: credit falls as charges are recorded.

    Example: distributary run accounts
    """
    _supervise("distributary.cli.publishing", [])


def _supervise(module: str, arguments: list[str]) -> None:
    from distributary.logs import configure_logs
    from distributary.settings import load_settings
    from distributary.supervise import Policy, supervise

    configure_logs(load_settings().log_level)
    raise typer.Exit(supervise([sys.executable, "-m", module, *arguments], Policy()))
