"""What one job of a workflow tells the next."""

import os
from pathlib import Path


def tell(**values: str | bool) -> None:
    """Append to the file that GITHUB_OUTPUT names; outside a workflow nobody asks."""
    file = os.environ.get("GITHUB_OUTPUT")
    if not file:
        return
    lines = [f"{key}={str(value).lower() if isinstance(value, bool) else value}\n" for key, value in values.items()]
    with Path(file).open("a", encoding="utf-8") as output:
        output.writelines(lines)
