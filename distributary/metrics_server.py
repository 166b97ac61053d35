"""Serving a job's Prometheus metrics."""

import logging
from collections.abc import Callable

from prometheus_client import CollectorRegistry, start_http_server

log = logging.getLogger(__name__)

HOST = "127.0.0.1"


def serve_metrics(registry: CollectorRegistry, port: int) -> Callable[[], None]:
    """Serves a registry over HTTP on 127.0.0.1.

    A port that is taken is no reason to answer nobody: the metrics are then served on a free one,
    and the log says so.

    Args:
        registry: the metrics.
        port: where; 0: any free port.

    Returns:
        What stops it.
    """
    try:
        server, thread = start_http_server(port, HOST, registry=registry)
    except OSError as error:
        log.error({"msg": "metrics port taken; using a free one", "port": port, "error": error})
        server, thread = start_http_server(0, HOST, registry=registry)
    log.info({"msg": "metrics served", "url": f"http://{HOST}:{server.server_port}/metrics"})

    def stop() -> None:
        server.shutdown()
        server.server_close()
        thread.join()

    return stop
