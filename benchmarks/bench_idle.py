"""What both jobs cost while nothing comes, in cores: each job's process and its Prism.

    python -m benchmarks.bench_idle

Prints JSON.
"""

import json
import time

from benchmarks.load import cpu_s, job, job_processes, local_settings, servers, sign_many
from distributary.settings import Settings
from distributary.store import migrate

SETTLE_S = 15
SECONDS = 30


def idle_cores(settings: Settings, name: str) -> dict[str, float]:
    """CPU seconds per second of one job."""
    with job(settings, "distributary", "run", name) as supervisor:
        time.sleep(SETTLE_S)
        python, prism = job_processes(supervisor)
        processes = {"job": python} | ({"prism": prism} if prism else {})
        before = {part: cpu_s(process) for part, process in processes.items()}
        time.sleep(SECONDS)
        return {p: round((cpu_s(processes[p]) - before[p]) / SECONDS, 3) for p in processes}


def main() -> None:
    """Runs the benchmark."""
    with servers() as local:
        local.start("postgres")
        settings = local_settings(local)
        migrate(settings.postgres)
        sign_many(settings, 1)
        cores = {name: idle_cores(settings, name) for name in ("inference", "attribution")}
    print(json.dumps({"seconds": SECONDS, "cores": cores}))


if __name__ == "__main__":
    main()
