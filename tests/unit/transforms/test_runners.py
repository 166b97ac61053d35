"""Which runners our jobs may run on, and the options that keep them running."""

import grpc
import pytest
from apache_beam.options.pipeline_options import PortableOptions, StandardOptions

from distributary.errors import InputError, UnavailableError
from distributary.settings import DAY_S, Settings
from transforms.runners import job_options

SETTINGS = Settings(prism="/opt/prism")


@pytest.mark.parametrize("runner", ["DirectRunner", "apache_beam.runners.DirectRunner", "Nothing"])
def test_job_options__a_runner_that_delivers_nothing__is_refused(runner: str) -> None:
    with pytest.raises(InputError, match="Use --runner=PrismRunner") as refused:
        job_options([f"--runner={runner}"], SETTINGS)
    assert refused.value.code == "runner_refused"


def test_job_options__nothing_given__is_prism_with_a_stream() -> None:
    options = job_options([], SETTINGS)
    assert options.view_as(StandardOptions).runner == "PrismRunner"
    assert options.view_as(StandardOptions).streaming
    assert options.get_all_options()["prism_location"] == "/opt/prism"


def test_job_options__no_prism__says_what_to_do() -> None:
    with pytest.raises(UnavailableError, match="distributary up"):
        job_options([], Settings())


def test_job_options__beam_would_end_the_job_by_its_timeout__gives_it_years() -> None:
    timeout_s = job_options([], SETTINGS).view_as(PortableOptions).job_server_timeout
    assert timeout_s > 365 * DAY_S
    # A deadline that gRPC cannot express would be one in the past.
    channel = grpc.insecure_channel("127.0.0.1:1")
    with pytest.raises(grpc.RpcError) as failed:
        channel.unary_unary("/none/none")(b"", timeout=timeout_s)
    channel.close()
    assert failed.value.code() is grpc.StatusCode.UNAVAILABLE


def test_job_options__timeout_given__is_kept() -> None:
    options = job_options(["--job_server_timeout=7"], SETTINGS)
    assert options.view_as(PortableOptions).job_server_timeout == 7
