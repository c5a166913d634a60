"""`locust -f perf/locustfile.py --host http://127.0.0.1:8080`: with Locust's web page, and workers on other machines.

Each of Locust's users is a source of PERF_RATE requests per second (1 unless set) and waits for no answer: 20 users
are 20 requests/s. PERF_MODEL, PERF_CONTEXT and PERF_SEED say what is asked.
"""

import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))  # locust runs a file, not a module

import gevent
from locust import events
from locust.env import Environment

from perf.sample import Sample
from perf.stats import SCHEDULE_P99, percentile
from perf.user import ChatUser, PredictUser

__all__ = ["ChatUser", "PredictUser"]
KEPT = 100_000  # of the newest samples
INVALID = 7


@events.init.add_listener
def keep_the_delays(environment: Environment, **_: object) -> None:
    gevent.sleep(0)  # gevent's clock stood still while all was imported: --run-time would be over at once
    environment.delays, unsent = [], []

    def heard(sample: Sample) -> None:
        keep([sample.sent])
        unsent.append(sample.sent)
        del unsent[:-KEPT]

    def keep(delays: list[float]) -> None:
        environment.delays += delays
        del environment.delays[:-KEPT]

    def tell(client_id: str, data: dict[str, Any]) -> None:
        data["delays"] = unsent.copy()
        unsent.clear()

    environment.samples = [heard]
    environment.events.report_to_master.add_listener(tell)
    environment.events.worker_report.add_listener(lambda client_id, data: keep(data["delays"]))


@events.quitting.add_listener
def say_when_the_schedule_slipped(environment: Environment, **_: object) -> None:
    late = percentile(environment.delays, 99)
    if late is not None and late > SCHEDULE_P99:
        print(f"not valid: requests left late, p99 {late * 1000:.1f} ms: use more workers", file=sys.stderr)  # noqa: T201
        environment.process_exit_code = INVALID
