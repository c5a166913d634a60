"""What gateways have counted of a stratum: as series for promtool, and as figures for the independent calculation."""

from dataclasses import dataclass

from rollouts.evidence import Arm

ROLLOUT = "demo/llm-engine"
KINDS = ("ttft", "added")  # an engine's and a gateway's


@dataclass(frozen=True)
class Counts:
    """Counters of one arm in one stratum: requests as they started and ended."""

    started: int = 0
    ok: int = 0
    bad: int = 0
    unjudged: int = 0
    slow: int = 0
    unmeasured: int = 0


@dataclass(frozen=True)
class Stratum:
    canary: Counts = Counts()
    stable: Counts = Counts()
    source: str = "user"
    release: str = "v1.2.0-r3"
    step: str = "5"

    def series(self) -> dict[str, str]:
        at = f'rollout="{ROLLOUT}", release="{self.release}"'
        found = {}
        for arm, counts in (("canary", self.canary), ("stable", self.stable)):
            labels = f'{at}, step="{self.step}", source="{self.source}", arm="{arm}"'
            found |= counters(labels, counts)
        return found


def counters(labels: str, counts: Counts) -> dict[str, str]:
    values = {
        f"sluice_started_total{{{labels}}}": counts.started,
        f'sluice_requests_total{{{labels}, outcome="ok"}}': counts.ok,
        f'sluice_requests_total{{{labels}, outcome="upstream_5xx"}}': counts.bad,
        f'sluice_requests_total{{{labels}, outcome="stream_truncated"}}': 0,
        f'sluice_requests_total{{{labels}, outcome="prompt"}}': counts.unjudged,
        f'sluice_requests_total{{{labels}, outcome="over_user_cap"}}': 0,
        **{f'sluice_slow_total{{{labels}, kind="{kind}"}}': counts.slow for kind in KINDS},
        **{f'sluice_unmeasured_requests{{{labels}, kind="{kind}"}}': counts.unmeasured for kind in KINDS},
    }
    return {name: f"{value}x60" for name, value in values.items()}


def labelled(name: str, stratum: Stratum, **labels: str) -> str:
    mine = {"rollout": ROLLOUT, "release": stratum.release, "step": stratum.step, "source": stratum.source}
    pairs = [f'{key}="{value}"' for key, value in (mine | labels).items()]
    return f"{name}{{{', '.join(pairs)}}}"


def verdict(stratum: Stratum, gate: str = "bad-share") -> str:
    return f"sum({labelled('sluice:gate_verdict', stratum, gate=gate)})"


def arm(counts: Counts, gate: str) -> Arm:
    bad = counts.bad if gate == "bad-share" else counts.slow
    return Arm(counts.started - counts.unjudged, counts.ok + counts.bad, bad)


def clean(requests: int) -> Counts:
    return Counts(started=requests, ok=requests)


def failing(requests: int, bad: int) -> Counts:
    return Counts(started=requests, ok=requests - bad, bad=bad)
