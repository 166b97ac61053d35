"""Running a job: submit, wait, drain on SIGTERM, and an exit code that says what happened."""

import logging
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import FrameType

import apache_beam as beam

from distributary.bodies import DEADLINE_MS_MAX
from distributary.errors import DistributaryError, ExitCode, UnavailableError
from distributary.logs import configure_logs
from distributary.settings import Settings
from transforms.runners import job_options

log = logging.getLogger(__name__)

# A second signal ends the process at once; so does a drain that takes longer than any deadline.
DRAIN_MARGIN_S = 30.0
WAIT_S = 0.2


@dataclass(frozen=True)
class Job:
    """A job as `run_job` runs it.

    Attributes:
        name: for the logs.
        usage: printed by `--help`.
        check: raises a `DistributaryError` for what a user can mend, before anything starts.
        build: adds the job's transforms to a pipeline.
        drain: stops reading; the pipeline then ends by itself once all is finished.
    """

    name: str
    usage: str
    check: Callable[[], None]
    build: Callable[[beam.Pipeline], None]
    drain: Callable[[], None]


def run_job(job: Job, argv: Sequence[str], settings: Settings) -> int:
    """Runs a job until it fails or is drained; call it on the main thread.

    Returns:
        0 after a drain, 1 after a failure, the error's own code for a mistake of the user.
    """
    if {"-h", "--help"} & set(argv):
        print(job.usage)  # noqa: T201
        return ExitCode.OK
    configure_logs(settings.log_level)
    stopping, ended = threading.Event(), threading.Event()
    failure: list[BaseException] = []
    _on_signals(stopping)
    try:
        options = job_options(argv, settings)
        job.check()
        pipeline = beam.Pipeline(options=options)
        job.build(pipeline)
        result = pipeline.run()
    except Exception as error:
        return _exit_code(job, error, stopping=False)
    _on_signals(stopping)  # Beam's job server has set a handler of its own

    def wait() -> None:
        try:
            result.wait_until_finish()
        except BaseException as error:
            failure.append(error)
        finally:
            ended.set()

    threading.Thread(target=wait, name=job.name, daemon=True).start()
    log.info({"msg": "job started", "job": job.name})
    while not ended.wait(WAIT_S) and not stopping.is_set():
        pass
    if stopping.is_set():
        log.info({"msg": "draining", "job": job.name})
        job.drain()
        if not ended.wait(DEADLINE_MS_MAX / 1000 + DRAIN_MARGIN_S):
            failure.append(UnavailableError("The job did not drain in time; what is left waits."))
    return _exit_code(job, failure[0] if failure else None, stopping=stopping.is_set())


def _on_signals(stopping: threading.Event) -> None:
    """SIGTERM and SIGINT ask for a drain; the second one ends the process."""

    def stop(_signal: int, _frame: FrameType | None) -> None:
        if stopping.is_set():
            sys.exit(ExitCode.FAILED)
        stopping.set()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)


def _exit_code(job: Job, failure: BaseException | None, *, stopping: bool) -> int:
    if isinstance(failure, DistributaryError):
        log.error({"msg": str(failure), "code": failure.code, "job": job.name})
        return failure.exit_code
    if failure is not None or not stopping:
        log.error({"msg": "job failed", "job": job.name, "error": str(failure)[-2000:]})
        return ExitCode.FAILED
    log.info({"msg": "job drained", "job": job.name})
    return ExitCode.OK
