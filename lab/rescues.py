"""Did stable answer for the canary only as often as its budget allows, however much failed?"""

from app.budget import Budget
from app.settings import Settings
from lab.observers import prometheus_answer

PAST = "30m"  # the series of a release end a minute after it


def faults(rollout: str) -> list[str]:
    """In words, where more was asked of stable than the budget of all gateways; no figures are a fault too."""
    share = float(Settings.model_fields["rescue_share"].default)
    labels = f'rollout="{rollout}"'
    tried = total(f'sluice_rescues_total{{{labels}, result!="no_budget"}}')
    earned = total(f'sluice_started_total{{{labels}, arm="stable"}}')
    if tried is None or earned is None or tried == 0:
        return ["no rescue was counted"]
    gateways = len(prometheus_answer(f"count by (pod) (last_over_time(sluice_started_total{{{labels}}}[{PAST}]))"))
    most = share * earned + Budget.BURST * gateways
    if tried > most:
        return [f"stable was asked {tried:.0f} times in the canary's place, the budget was {most:.0f}"]
    return []


def failed(rollout: str) -> list[str]:
    """In words, when stable never failed what the canary had failed: nothing was tried that fails everywhere."""
    found = total(f'sluice_rescues_total{{rollout="{rollout}", result="failed"}}')
    return [] if found else ["no rescue failed: what was to fail on both arms did not"]


def total(selector: str) -> float | None:
    """The sum of counters at their last value, None when there are none."""
    found = prometheus_answer(f"sum(last_over_time({selector}[{PAST}]))")
    return float(found[0]["value"][1]) if found else None
