"""Latency that the inference job adds at half load, for service times of 20 ms and of 2 s.

    python -m benchmarks.bench_inference_latency

Prints JSON. The same Triton is asked directly at the same rate in the same run; what is added is
the job's percentile less the direct one. From `send` to the answer in the client's hands: the
client, two passes through Kafka and the job are all in it.
"""

import asyncio
import json

from benchmarks.direct import best_capacity, latencies_s
from benchmarks.load import Load, job, local_settings, servers, sign_many, spread_ms

SECONDS = 30
WARM_UP = 200
# Half of what one node sustains, but no more than two cores carry of single requests beside the
# servers and the load generator: at 1,000/s even the direct calls wait for a core.
RATE_MAX = 200.0


def measure(service_ms: float) -> dict[str, object]:
    """One service time."""
    with servers(service_ms) as local:
        settings = local_settings(local)
        address = settings.triton.partition("=")[2]
        # Long enough for several rounds of full batches at either service time.
        capacity, _batch, _in_flight = best_capacity(address, 2_048 if service_ms > 500 else 20_000)
        per_s = min(capacity / 2, RATE_MAX)
        count = int(SECONDS * per_s)
        direct = spread_ms(asyncio.run(latencies_s(address, count, per_s)))
        with job(settings):
            load = Load(settings)
            warm_up = sign_many(settings, WARM_UP)
            load.send(warm_up, per_s)
            load.wait(len(warm_up))
            requests = sign_many(settings, count)
            load.send(requests, per_s)
            load.wait(len(warm_up) + len(requests))
            load.close()
    measured = {request.request_hash for request in requests}
    latencies = [
        r.read_at - load.sent[r.request_hash] for r in load.received if r.request_hash in measured
    ]
    total = spread_ms(latencies)
    return {
        "service_ms": service_ms,
        "rate_per_s": round(per_s, 1),
        "answers": len(latencies),
        "total_ms": total,
        "direct_ms": direct,
        "added_ms": {name: round(total[name] - direct[name], 1) for name in total},
    }


if __name__ == "__main__":
    print(json.dumps([measure(service_ms) for service_ms in (20.0, 2_000.0)]))
