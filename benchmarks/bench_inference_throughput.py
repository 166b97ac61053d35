"""Throughput of the inference job as a share of what the same Triton sustains when called directly.

    python benchmarks/bench_inference_throughput.py

Prints JSON. CPU is that of the job's Python process per 1,000 answers; the signature checks'
part (request hash and Ed25519) is measured alone in the same run and shown apart.
"""

import json
import time

from benchmarks.direct import best_capacity
from benchmarks.load import (
    Load,
    Signed,
    cpu_s,
    job,
    job_processes,
    local_settings,
    servers,
    sign_many,
)
from distributary.requests import read_request, verify_signature
from distributary.settings import Settings

COUNT = 40_000
WARM_UP = 2_000


def signature_s(settings: Settings, requests: list[Signed]) -> float:
    """CPU seconds for hashing and verifying the requests, and for nothing else."""
    began = time.process_time()
    for request in requests:
        read = read_request(request.value, "/benchmark", "1", settings.domain)
        verify_signature(read.purchase.request_hash, read.key, read.signature)
    return time.process_time() - began


def main() -> None:
    """Runs the benchmark."""
    with servers() as local:
        settings = local_settings(local)
        address = settings.triton.partition("=")[2]
        direct_per_s, batch, in_flight = best_capacity(address, COUNT // 2)
        # 4,000 requests, so that a fourth of it is for 1,000.
        signature = signature_s(settings, sign_many(settings, 4_000)) / 4
        with job(settings) as supervisor:
            load = Load(settings)
            warm_up = sign_many(settings, WARM_UP)
            load.send(warm_up)
            load.wait(len(warm_up))
            python, prism = job_processes(supervisor)
            requests = sign_many(settings, COUNT)
            before = cpu_s(python), cpu_s(prism) if prism else 0.0
            load.send(requests)
            load.wait(len(warm_up) + len(requests))
            used = cpu_s(python) - before[0]
            used_prism = (cpu_s(prism) if prism else 0.0) - before[1]
            load.close()
    measured = {request.request_hash for request in requests}
    ours = [r for r in load.received if r.request_hash in measured]
    appended = sorted(r.appended_at for r in ours)
    # The middle of the run: the ramp at either end is not what a job sustains.
    low, high = len(appended) // 10, len(appended) * 9 // 10
    job_per_s = (high - low) / (appended[high] - appended[low])
    print(
        json.dumps(
            {
                "answers": len(ours),
                "direct_per_s": round(direct_per_s),
                "direct_best": {"batch": batch, "batches_in_flight": in_flight},
                "job_per_s": round(job_per_s),
                "share_of_direct": round(job_per_s / direct_per_s, 3),
                "cpu_s_per_1000": round(1000 * used / len(ours), 3),
                "of_it_signature_checks": round(signature, 3),
                "cpu_s_per_1000_without_signatures": round(1000 * used / len(ours) - signature, 3),
                "prism_cpu_s_per_1000": round(1000 * used_prism / len(ours), 3),
                "executed": sum(r.status == "executed" for r in ours),
            }
        )
    )


if __name__ == "__main__":
    main()
