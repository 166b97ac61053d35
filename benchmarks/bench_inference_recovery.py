"""One `kill -9` of the inference job at full load: what runs twice, and how long nothing comes.

    python -m benchmarks.bench_inference_recovery

Prints JSON. The job runs under `distributary run`, which starts it again. Requests run twice are
those with two executed answers in the topic, or one executed by a node and never published; the
first are counted from Kafka, the second are bounded by what was in flight.
"""

import json
import threading
import time
from collections import Counter

from benchmarks.load import Load, job, job_processes, local_settings, servers, sign_many

COUNT = 30_000
KILL_AT = 0.4


def main() -> None:
    """Runs the benchmark."""
    with servers() as local:
        settings = local_settings(local)
        with job(settings) as supervisor:
            load = Load(settings)
            warm_up = sign_many(settings, 500)
            load.send(warm_up)
            load.wait(len(warm_up))
            python, _prism = job_processes(supervisor)
            requests = sign_many(settings, COUNT)
            sender = threading.Thread(target=load.send, args=(requests,))
            sender.start()
            while len(load.received) < COUNT * KILL_AT:
                time.sleep(0.005)
            python.kill()
            killed_at = time.time()
            load.wait(len(warm_up) + len(requests))
            sender.join()
            load.close()
    executed = Counter(r.request_hash for r in load.received if r.status == "executed")
    # What was published before the kill is read a moment after it.
    after = sorted(r.appended_at for r in load.received if r.appended_at > killed_at + 0.5)
    print(
        json.dumps(
            {
                "requests": COUNT,
                "without_answer": sum(r.request_hash not in executed for r in requests),
                "executed_twice_in_topic": sum(count > 1 for count in executed.values()),
                "in_flight_max": settings.requests_in_flight_max,
                "first_answer_after_s": round(after[0] - killed_at, 2),
            }
        )
    )


if __name__ == "__main__":
    main()
