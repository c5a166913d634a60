"""In a workflow nothing is left out in silence: there a skipped test, for want of a program or otherwise, fails."""

import os
import sys
from collections.abc import Generator

import hypothesis
import pytest

hypothesis.settings.register_profile("unhurried", deadline=None)  # a busy machine is no finding
hypothesis.settings.load_profile("unhurried")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.skipped and not hasattr(report, "wasxfail") and os.environ.get("GITHUB_ACTIONS"):
        why = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
        report.outcome, report.longrepr = "failed", f"left out in a workflow: {why}"
    return report


def pytest_collection_finish() -> None:
    """Keep pytest's own stderr open: absl, which rouge-score imports, closes it when uvicorn configures logging."""
    if absl := sys.modules.get("absl.logging"):
        absl.get_absl_handler().python_handler.stream = sys.__stderr__
