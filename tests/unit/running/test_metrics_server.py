"""The metrics endpoint. It listens; the test itself connects to nothing."""

import socket

import pytest
from prometheus_client import CollectorRegistry

from distributary.metrics_server import HOST, serve_metrics


def test_serve_metrics__port_taken__serves_on_a_free_one(caplog: pytest.LogCaptureFixture) -> None:
    with socket.socket() as taken:
        taken.bind((HOST, 0))
        taken.listen()
        stop = serve_metrics(CollectorRegistry(), taken.getsockname()[1])
        stop()
    assert "metrics port taken" in caplog.text
