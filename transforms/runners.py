"""Which runners our jobs may run on, and with which options."""

import logging
from collections.abc import Sequence

from apache_beam.options.pipeline_options import PipelineOptions, StandardOptions

from distributary.errors import InputError
from distributary.settings import DAY_S, Settings

# What each runner is called on Beam's command line; all of them deliver an unbounded source.
RUNNERS = ("PrismRunner", "FlinkRunner", "PortableRunner", "DataflowRunner")
# Beam also takes it for how long a job may run at all: its default ends every job after 300 s.
JOB_SERVER_TIMEOUT_S = 10 * 365 * DAY_S


def job_options(argv: Sequence[str], settings: Settings) -> PipelineOptions:
    """Beam's options for a job of ours: streaming, on Prism unless told otherwise.

    Raises:
        InputError: the runner would fall back, without a word, to one that never delivers.
        UnavailableError: Prism is wanted and not there.
    """
    given = PipelineOptions(list(argv)).view_as(StandardOptions).runner
    runner = given or "PrismRunner"
    if runner.rpartition(".")[2] not in RUNNERS:
        raise InputError(
            f"Use --runner=PrismRunner on one machine or FlinkRunner on a cluster: {runner} falls "
            "back, without a word, to a runner that delivers nothing of an unbounded source.",
            code="runner_refused",
        )
    arguments = [*argv, "--streaming"]
    if given is None:
        arguments.append(f"--runner={runner}")
    if not any(a.startswith(("--job_server_timeout", "--job-server-timeout")) for a in argv):
        arguments.append(f"--job_server_timeout={JOB_SERVER_TIMEOUT_S}")
    if runner == "PrismRunner" and not any(a.startswith("--prism_location") for a in argv):
        arguments.append(f"--prism_location={settings.require('prism')}")
    logging.getLogger("apache_beam").setLevel(logging.WARNING)
    return PipelineOptions(arguments)
