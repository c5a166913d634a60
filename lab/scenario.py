"""Scenarios: what is released, what is broken on purpose, and what must come of it. Data, one file each."""

from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from lab.errors import Refused

Check = Literal["weights-exact", "helm-test", "rescues-bounded", "rescues-failed", "ratings-kept", "streams-spanned"]
Change = Literal["retrained", "over-quantised weights"]  # the first makes as good answers, the second worse ones


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class When(Strict):
    """Which requests a fault is meant for: whose they are, and from which weight on."""

    source: Literal["user", "probe", "any"] = "any"
    step_at_least: int | None = None
    prompt: str | None = Field(default=None, description="only requests whose body holds this text")


class Fault(Strict):
    """One fault of an engine, made by `lab/fault.py`; `share` of the requests, 0 to 1."""

    when: When = When()
    share: float = Field(default=1.0, ge=0, le=1)
    do: Literal["http_500", "hang", "cut", "no_done", "gibberish", "slow"]
    seconds: float | None = Field(default=None, ge=0)

    def document(self) -> dict[str, Any]:
        return self.model_dump(exclude_none=True)


class Action(Strict):
    """Something done to the lab itself when the canary has reached a weight; `seconds`: how long it stays so."""

    do: Literal["kill-controller", "kill-watcher", "hide-metrics", "stop-api", "abort"]
    at_weight: int = Field(default=0, ge=0, le=100)
    seconds: float = Field(default=0, ge=0, le=120)


class Expected(Strict):
    engine_begins: bool = Field(default=True, description="whether a pod of the new engine ever starts")
    gateway_pods: int | None = Field(default=None, ge=0, description="most pods that the new gateway may get")
    verdict: Literal["promoted", "aborted"]
    max_weight: int = Field(ge=0, le=100)
    detect_seconds: float | None = Field(default=None, gt=0, description="limit, from the first bad canary request")
    alert: str | None = Field(default=None, description="text that must reach Slack")
    failed: int | None = Field(default=None, ge=0, description="most user requests that may fail on either arm")
    failed_stable: int | None = Field(default=0, ge=0, description="most user requests that stable may fail; null: any")
    explained: str | None = Field(default=None, description="text that `sluice explain` must say")


class Scenario(Strict):
    """One release, after a first good one was installed, under user traffic."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]{2,40}$")
    says: str
    tier: Literal["fake", "real"] = "fake"
    change: Change = Field(default="retrained", description="what the release does to the model")
    long: bool = Field(default=False, description="only with ALL=1")
    strategy: Literal["canary", "blueGreen"] = "canary"
    parts: Literal["engine", "gateway", "both"] = Field(default="engine", description="what the release changes")
    gateway: Literal["good", "http_500", "slow", "crash"] = Field(default="good", description="the new one, if any")
    rate: float = Field(default=20, gt=0, le=200, description="user requests per second")
    values: dict[str, Any] = Field(default_factory=dict, description="laid over environments/lab/values.yaml")
    faults: list[Fault] = Field(default_factory=list, description="of the new release's engine")
    stable_faults: list[Fault] = Field(default_factory=list, description="of the engine that is there before")
    troubled: float = Field(default=0, ge=0, le=1, description="share of the requests that one user asks, TROUBLE")
    actions: list[Action] = Field(default_factory=list)
    checks: list[Check] = Field(default_factory=list)
    timeout: float = Field(default=240, gt=0, le=900, description="seconds until the release must have a verdict")
    expected: Expected


def load(folder: Path) -> list[Scenario]:
    """Every scenario of a folder, by file name.

    Raises:
        Refused: no such folder, none in it, or one that the schema refuses; names file and key.
    """
    files = sorted(folder.glob("*.yaml"))
    if not files:
        raise Refused(f"{folder}: no scenario files (*.yaml) there: name a folder with SCENARIOS=dir")
    found = [read(file) for file in files]
    names = [one.name for one in found]
    for name in names:
        if names.count(name) > 1:
            raise Refused(f"{folder}: two scenarios are named {name}: rename one")
    return found


def read(file: Path) -> Scenario:
    try:
        return Scenario.model_validate(YAML(typ="safe", pure=True).load(file.read_text(encoding="utf-8")))
    except YAMLError as error:
        raise Refused(f"{file}: is not YAML: {' '.join(str(error).split())[:160]}") from error
    except ValidationError as error:
        first = error.errors()[0]
        raise Refused(f"{file}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from error
