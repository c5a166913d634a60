"""`python -m perf.drive plan.json samples.jsonl`: one Locust user walks through a plan's phases."""

import gc
import sys
import time
from dataclasses import replace
from pathlib import Path

from locust.env import Environment

from perf import sample, schedule
from perf.mix import Mix
from perf.user import ChatUser, Client, pause

LEAD_SECONDS = 0.05


def user_of(plan: schedule.Plan) -> type[ChatUser]:
    class Walker(ChatUser):
        host = plan.phases[0].url

        def walk(self) -> None:
            clients = {phase.url: Client(phase.url, plan.model) for phase in plan.phases}
            for phase in plan.phases:
                self.client, self.label = clients[phase.url], phase.label
                self.phase(phase)

        def phase(self, phase: schedule.Phase) -> None:
            """Prompts are drawn before the clock runs; the next phase waits for the answers of this one."""
            arrivals, mix = phase.arrivals(), Mix(phase.seed, plan.context)
            prompts = [mix.draw() for _ in arrivals]
            if plan.answer_tokens:
                prompts = [replace(prompt, max_tokens=plan.answer_tokens) for prompt in prompts]
            zero = time.perf_counter() - self.zero + LEAD_SECONDS
            for due, prompt in zip(arrivals, prompts, strict=True):
                pause(self.zero + zero + due)
                self.begin(zero + due, prompt)
            self.pool.join()

    return Walker


def run(plan: schedule.Plan) -> list[sample.Sample]:
    seen: list[sample.Sample] = []
    walker = user_of(plan)
    environment = Environment(user_classes=[walker])
    environment.samples = [seen.append]
    environment.create_local_runner()
    user = walker(environment)
    user.on_start()
    gc.collect()
    gc.freeze()
    gc.disable()  # a pause of the collector would be a slip of the schedule; a run is short
    user.walk()
    return seen


def main() -> None:
    plan, out = (Path(name) for name in sys.argv[1:3])
    sample.save(run(schedule.load(plan)), out)


if __name__ == "__main__":
    main()
