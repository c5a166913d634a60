"""Play one scenario: install, send users, release, break what it says, and compare with what it expects."""

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any

from lab import actions, departures, measures, paths, ratings, rescues, weights
from lab.load import Load
from lab.observers import slack_messages
from lab.scenario import Scenario
from lab.stage import Images, Stage
from lab.timeline import Moment, Timeline
from lab.traffic import Traffic
from model import pin

Say = Callable[[str], None]
FIRST, VERSION = "v1.0.0", "v1.1.0"
SERVED_NAME = pin.load(paths.ROOT / "model/model.yaml").served_name
SAMPLED = (1, 5, 25)
SETTLE_SECONDS = 5  # users go on for a while after the verdict: what an abort breaks shows now
ALERT_SECONDS = 45
MAX_TOKENS = {"fake": 16, "real": 4}  # two engines share two cores: short answers leave room for ten users a second


@dataclass
class Outcome:
    """What came of a scenario; `faults` says in words where it differs from what was expected."""

    scenario: Scenario
    verdict: str = "not run"
    max_weight: int = 0
    detect_seconds: float | None = None
    alert: str | None = None
    noticed: measures.Noticed | None = None
    exit_code: int | None = None
    seconds: float = 0.0
    moments: list[Moment] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        return self.verdict != "not run" and not self.faults

    def row(self) -> dict[str, Any]:
        """One entry of `report.json`."""
        wanted = self.scenario.expected
        return {
            "name": self.scenario.name,
            "tier": self.scenario.tier,
            "expected": wanted.verdict,
            "verdict": self.verdict,
            "ok": self.ok,
            "max_weight": self.max_weight,
            "detect_seconds": self.detect_seconds,
            "limit_seconds": wanted.detect_seconds,
            "alert": self.alert,
            "failed_stable": self.noticed.failed_stable if self.noticed else None,
            "requests": asdict(self.noticed) if self.noticed else None,
            "seconds": round(self.seconds, 1),
            "faults": self.faults,
            "timeline": [asdict(moment) for moment in self.moments],
        }


class Play:
    """One run of one scenario on a stage of its own."""

    def __init__(self, scenario: Scenario, stage: Stage, old: Images, new: Images, say: Say) -> None:
        self.scenario, self.stage, self.old, self.new, self.say = scenario, stage, old, new, say
        self.result = Outcome(scenario)
        self.samples: list[weights.Sample] = []
        self.unkept: list[str] = []  # what came of users' ratings otherwise than they were told
        self.undone: list[str] = []  # what was to be done or asked at a weight that never came
        self.refused = ""  # what helm test had against the release
        self.said = ""  # what sluice explain says of it
        self.records = stage.folder / "requests.jsonl"
        self.gateway: list[Moment] = []  # of its own Rollout
        self.told: dict[str, float] = {}  # when its pods were told to end

    def run(self) -> Outcome:
        began = time.time()
        self.stage.folder.mkdir(parents=True, exist_ok=True)
        self.records.unlink(missing_ok=True)
        self.stage.remove()  # what an earlier run left
        self.stage.install(self.old, self.scenario.stable_faults)
        self.say(f"  v1.0.0 installed after {time.time() - began:.0f} s")
        load = Load(self.traffic())
        load.start()
        try:
            self.release()
            time.sleep(SETTLE_SECONDS)
        finally:
            load.stop()
        self.measure(began)
        self.result.seconds = time.time() - began
        return self.result

    def traffic(self) -> Traffic:
        wanted = self.scenario
        most = MAX_TOKENS[wanted.tier]
        to, out = self.stage.url, self.records
        return Traffic(to, wanted.rate, out=out, model=SERVED_NAME, max_tokens=most, troubled=wanted.troubled)

    def release(self) -> None:
        """Deploy the second version and see it through to its verdict."""
        wait = self.scenario.timeout
        before = [action for action in self.scenario.actions if action.do == "hide-metrics"]
        for action in before:
            actions.do(action, self.stage)
        if self.scenario.tier == "real":
            self.stage.wait_baseline()
        alone = self.scenario.parts == "gateway"
        self.stage.write(VERSION, self.new, self.scenario.faults, FIRST if alone else VERSION)
        cluster = self.stage.cluster()
        leaving = departures.Departures(cluster)
        with Timeline(cluster) as engine, Timeline(cluster.gateway) as gateway, leaving:
            timeline = gateway if alone else engine
            watcher = self.stage.deploy(wait)
            self.sample(timeline)
            for action in self.scenario.actions:
                if action in before or not self.came(timeline, action.at_weight, action.do):
                    continue
                self.say(f"  {action.do} at {action.at_weight} %")
                if action.do == "kill-watcher":
                    watcher = actions.kill_watcher(watcher, self.stage, wait)
                else:
                    actions.do(action, self.stage)
            self.result.verdict = timeline.wait_verdict(VERSION, wait)
            self.result.exit_code = watcher.wait(60)
            self.result.moments, self.gateway, self.told = engine.of(VERSION), gateway.of(VERSION), leaving.told
            if "weights-exact" in self.scenario.checks:
                self.samples.append(weights.ask_all(self.stage.url, SERVED_NAME, 0))
            if "helm-test" in self.scenario.checks:
                self.refused = self.stage.helm_test()
        self.result.max_weight = max((moment.weight for moment in self.result.moments), default=0)

    def sample(self, timeline: Timeline) -> None:
        """Ask 10 000 users at every weight, and let some rate the answers of both arms, where that is checked."""
        for weight in SAMPLED if "weights-exact" in self.scenario.checks else ():
            if self.came(timeline, weight, "weights-exact"):
                self.samples.append(weights.ask_all(self.stage.url, SERVED_NAME, weight))
        if "ratings-kept" in self.scenario.checks and self.came(timeline, 25, "ratings-kept"):
            self.unkept = ratings.faults(self.stage.url, self.stage.namespace, {"stable": FIRST, "canary": VERSION})

    def came(self, timeline: Timeline, weight: int, what: str) -> bool:
        """Whether the canary got to the weight at which something is due; what was not done proves nothing."""
        if timeline.wait_weight(VERSION, weight, self.scenario.timeout):
            return True
        self.undone.append(f"the canary never got {weight} %: no {what} there")
        return False

    def measure(self, began: float) -> None:
        wanted, result = self.scenario.expected, self.result
        records = measures.read(self.records)
        result.noticed = measures.noticed(records)
        result.detect_seconds = measures.detect_seconds(records, result.moments)
        if wanted.alert:
            result.alert = self.alert(wanted.alert, began)
        if wanted.explained:
            self.said = " ".join(self.stage.explained())
        result.faults = [*self.differences(), *weights.faults(self.samples), *self.unkept, *self.undone]
        if "rescues-bounded" in self.scenario.checks:
            result.faults += rescues.faults(self.stage.rollout)
        if "rescues-failed" in self.scenario.checks:
            result.faults += rescues.failed(self.stage.rollout)
        if "streams-spanned" in self.scenario.checks:
            result.faults += departures.faults(records, self.told, self.stage.grace)

    def alert(self, text: str, since: float) -> str | None:
        """The expected text, once it has reached Slack."""
        deadline = time.time() + ALERT_SECONDS
        while time.time() < deadline:
            ours = [one for one in slack_messages(since) if self.stage.namespace in one]
            if any(text in one for one in ours):
                return text
            time.sleep(0.5)
        return None

    def differences(self) -> list[str]:
        """Where this run is not what the scenario expects."""
        wanted, seen, found = self.scenario.expected, self.result, []
        if seen.verdict != wanted.verdict:
            found.append(f"verdict {seen.verdict}, expected {wanted.verdict}")
        if seen.max_weight > wanted.max_weight:
            found.append(f"the canary got {seen.max_weight} %, expected at most {wanted.max_weight} %")
        if seen.exit_code != EXIT_CODES[wanted.verdict]:
            found.append(f"sluice ended with {seen.exit_code}, expected {EXIT_CODES[wanted.verdict]}")
        for whose, number, most in self.failures():
            if most is not None and number > most:
                found.append(f"{whose} failed {number} requests, at most {most} expected")
        found += self.parts()
        if wanted.detect_seconds and (seen.detect_seconds is None or seen.detect_seconds > wanted.detect_seconds):
            found.append(f"stopped {seen.detect_seconds} s after the first bad one, limit {wanted.detect_seconds} s")
        if wanted.explained and wanted.explained not in self.said:
            found.append(f"sluice explain does not say {wanted.explained!r} but: {self.said}")
        if self.refused:
            found.append(f"helm test: {self.refused}")
        if wanted.alert and not seen.alert:
            found.append(f"nothing with {wanted.alert!r} reached Slack within {ALERT_SECONDS} s")
        return found

    def failures(self) -> list[tuple[str, int, int | None]]:
        """Whose failures, how many users saw, and how many they may have seen."""
        wanted, seen = self.scenario.expected, self.result.noticed
        if seen is None:
            return []
        return [("stable", seen.failed_stable, wanted.failed_stable), ("stable and canary", seen.failed, wanted.failed)]

    def parts(self) -> list[str]:
        """How far each part of the release got, against how far it may."""
        wanted, found = self.scenario.expected, []
        changed = any(one.weight < 100 for one in self.result.moments)
        if not wanted.engine_begins and changed and any(one.pods for one in self.result.moments):
            found.append("a pod of the new engine was started")
        pods = max((one.pods for one in self.gateway if one.verdict != "promoted"), default=0)
        if wanted.gateway_pods is not None and pods > wanted.gateway_pods:
            found.append(f"the new gateway got {pods} pods, expected at most {wanted.gateway_pods}")
        return found


EXIT_CODES = {"promoted": 0, "aborted": 3}
