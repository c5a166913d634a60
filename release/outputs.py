"""What one job of a workflow tells the next, and where people read about it."""

import os
from pathlib import Path

RUN = ("GITHUB_SERVER_URL", "GITHUB_REPOSITORY", "GITHUB_RUN_ID")


def tell(**values: str | bool) -> None:
    """Append to the file that GITHUB_OUTPUT names; outside a workflow nobody asks."""
    file = os.environ.get("GITHUB_OUTPUT")
    if not file:
        return
    lines = [f"{key}={str(value).lower() if isinstance(value, bool) else value}\n" for key, value in values.items()]
    with Path(file).open("a", encoding="utf-8") as output:
        output.writelines(lines)


def page() -> str:
    """The address of the workflow run's page, empty outside a workflow."""
    server, repository, run = (os.environ.get(name, "") for name in RUN)
    return f"{server}/{repository}/actions/runs/{run}" if server and repository and run else ""
