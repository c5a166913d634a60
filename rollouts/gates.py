"""`gates.yaml` as models. Anything wrong in it is one line that names file, key and fix."""

import re
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic.alias_generators import to_camel
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError

PATH = Path(__file__).parent / "gates.yaml"
REQUIRED_GATES = ("bad-share", "slow-ttft")
REQUIRED_ALERTS = (
    "HighErrorRate",
    "LlmCanaryAborted",
    "LlmCircuitsOpen",
    "LlmFileBroken",
    "LlmGatesSilent",
    "LlmMetricsMissing",
    "LlmMetricsNeverSeen",
    "LlmRolloutsControllerGone",
    "Watchdog",
)

Share = Annotated[float, Field(gt=0, lt=1)]
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9]*(-[a-z0-9]+)*$", max_length=40)]
Outcome = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
Part = Literal["engine", "gateway"]
Duration = Annotated[str, Field(pattern=r"^[0-9]+(s|m|h)$")]


class GatesError(Exception):
    """One line: the file, the key, and what to write there."""


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, alias_generator=to_camel, populate_by_name=True)


class Evidence(Strict):
    fail_at: float = Field(ge=20, le=1e6)
    pass_at: float = Field(ge=20, le=1e6)
    worse: tuple[str, ...] = Field(min_length=1)
    better: tuple[str, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def rates_lie_on_their_side_of_one(self) -> Self:
        if any(rate(text) <= 1 for text in self.worse):
            raise ValueError("every rate in worse is above 1")
        if any(not 0 < rate(text) < 1 for text in self.better):
            raise ValueError("every rate in better is between 0 and 1")
        return self


class Outcomes(Strict):
    bad: tuple[Outcome, ...] = Field(min_length=1)
    not_judged: tuple[Outcome, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def an_outcome_is_one_thing(self) -> Self:
        if both := {"ok", *self.bad} & set(self.not_judged) | {"ok"} & set(self.bad):
            raise ValueError(f"{', '.join(sorted(both))} can be only one of ok, bad and notJudged")
        return self


class Strata(Strict):
    users_from: int = Field(ge=1, le=100)
    quiet_requests: int = Field(ge=1)
    max_per_user: int = Field(ge=1)


class Gate(Strict):
    judges: tuple[Part, ...] = Field(default=("engine",), min_length=1)
    bad: str = Field(pattern=r"^[a-z][a-z0-9_]*(\{.*\})?$")
    unmeasured: str | None = Field(default=None, pattern=r"^[a-z][a-z0-9_]*(\{.*\})?$")
    tolerated: Share
    unacceptable: Share

    @model_validator(mode="after")
    def tolerated_is_below_unacceptable(self) -> Self:
        if self.tolerated >= self.unacceptable:
            raise ValueError(f"tolerated ({self.tolerated:g}) must be below unacceptable ({self.unacceptable:g})")
        return self


class Slo(Strict):
    ttft: float = Field(gt=0)
    tpot: float = Field(gt=0)


class Throughput(Strict):
    tolerated: float = Field(gt=0, le=1)
    unacceptable: Share
    confidence: Share
    slo: Slo
    floors: dict[str, Annotated[float, Field(gt=0)]]

    @model_validator(mode="after")
    def unacceptable_is_below_tolerated(self) -> Self:
        if self.unacceptable >= self.tolerated:
            raise ValueError(f"unacceptable ({self.unacceptable:g}) must be below tolerated ({self.tolerated:g})")
        return self


class Backstop(Strict):
    gate: Name
    requests: int = Field(ge=1)
    canary_above: Share
    stable_below: Share


Metric = Literal["bleu", "rouge1", "rouge2", "rougeL", "chrf", "exact_match", "accuracy"]


class Quality(Strict):
    margins: dict[Metric, Annotated[float, Field(gt=0, le=100)]] = Field(min_length=1)
    broken_share: Share
    confidence: float = Field(ge=0.8, lt=1)
    resamples: int = Field(ge=200, le=100_000)


class Analysis(Strict):
    error_limit: int = Field(ge=5, description="Argo asks again after 10 s: fewer than 5 aborts on a restart of 20 s")


class Alert(Strict):
    above: Share | None = None
    wait: Duration = Field(alias="for")
    severity: Literal["critical", "warning", "none"]


class Gates(Strict):
    evidence: Evidence
    outcomes: Outcomes
    strata: Strata
    gates: dict[Name, Gate]
    throughput: Throughput
    backstop: Backstop
    quality: Quality
    analysis: Analysis
    runbooks: str = Field(pattern=r"^https://[^ ]+[^/ ]$")
    alerts: dict[str, Alert]

    @model_validator(mode="after")
    def nothing_is_missing(self) -> Self:
        for name in (*REQUIRED_GATES, self.backstop.gate):
            if name not in self.gates:
                raise ValueError(f"gate {name} is missing: add gates.{name} with bad, tolerated and unacceptable")
        for name in REQUIRED_ALERTS:
            if name not in self.alerts:
                raise ValueError(f"alert {name} is missing: add alerts.{name} with for and severity")
        if unknown := set(self.alerts) - set(REQUIRED_ALERTS):
            raise ValueError(f"no alert rule is called {', '.join(sorted(unknown))}: remove it from alerts")
        if self.alerts["HighErrorRate"].above is None:
            raise ValueError("alerts.HighErrorRate needs above, a share such as 0.10")
        return self


def rate(text: str) -> float:
    """The number that a rate such as `1.5` or `1/3` stands for; ValueError when it is neither."""
    if not re.fullmatch(r"[0-9]+(\.[0-9]+)?(/[1-9][0-9]*)?", text):
        raise ValueError(f"{text!r} is not a rate: write 1.5 or 1/3, in quotes")
    top, _, bottom = text.partition("/")
    return float(top) / float(bottom or 1)


def load(path: Path = PATH) -> Gates:
    """Read and check the file; raises GatesError with one line when it cannot be used."""
    try:
        data = YAML(typ="safe", pure=True).load(path)
    except OSError as error:
        raise GatesError(f"{path}: cannot be read ({error.strerror}): give the path of a gates.yaml") from error
    except MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 0
        raise GatesError(f"{path}: line {line}: {error.problem or 'not YAML'}: correct the line") from error
    if not isinstance(data, dict):
        raise GatesError(f"{path}: holds no mapping: start from the file at the last tag")
    try:
        return Gates.model_validate(data)
    except ValidationError as error:
        raise GatesError(f"{path}: {explained(error)}") from error


def explained(error: ValidationError) -> str:
    """The first thing wrong, as `key: what is wrong: what to do`."""
    # A misspelt key is two errors, of which the unknown one says more than the missing one.
    first = min(error.errors(), key=lambda found: found["type"] != "extra_forbidden")
    key = ".".join(str(part) for part in first["loc"] if part != "[key]")
    match first["type"]:
        case "extra_forbidden":
            return f"{key}: unknown key: remove it, or correct its spelling"
        case "missing":
            return f"{key}: missing: add it"
        case "value_error":
            return f"{key}: {first['ctx']['error']}" if key else str(first["ctx"]["error"])
        case _:
            said = first["msg"].removeprefix("Input ").removeprefix("String ")
            return f"{key}: {first['input']!r} {said}: change it"
