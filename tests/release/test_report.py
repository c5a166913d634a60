import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from release import report
from release.errors import Refused
from release.report import headline, load, mrkdwn, page, share, spoken

VOID = {"meta", "line", "rect", "path", "br"}


@pytest.fixture
def document() -> dict[str, Any]:
    judged = {"seconds": 44.0, "max_weight": 100, "detect_seconds": None}
    stopped = {"version": "v1.2.0", "verdict": "aborted", "seconds": 178.4, "max_weight": 5, "detect_seconds": 21.7}
    point = {"t": 10, "step": "5", "tolerated": 2e5, "stable": 4e6, "unacceptable": 0.1}
    return {
        "commit": "3f9c2a81d0be",
        "started": "2026-11-21T05:00:12Z",
        "took_seconds": 662,
        "engine": "vllm 0.32.0",
        "releases": [{"version": "v1.0.0", "verdict": "promoted", **judged}, stopped],
        "requests": {"total": 7337, "failed": 10, "failed_stable": 0, "cut_streams": 0},
        "slack": ["*demo* stopped <script>alert(1)</script>"],
        "timeline": {
            "bucket_seconds": 5,
            "weights": [{"version": "v1.2.0", "points": [{"t": 5, "weight": 1}, {"t": 12, "weight": 5}]}],
            "outcomes": [{"t": 0, "arm": "stable", "ok": 60}, {"t": 5, "arm": "canary", "ok": 1, "bad": 2}],
        },
        "evidence": [{"gate": "bad-share", "source": "user", "release": "v1.2.0-r3", "points": [point]}],
    }


@pytest.fixture
def written(tmp_path: Path, document: dict[str, Any]) -> Path:
    path = tmp_path / "report.json"
    path.write_text(json.dumps(document))
    return path


def test_the_page_shows_what_a_reader_asks_for(written: Path) -> None:
    html = page(load(written))
    for words in ("v1.2.0", "aborted", "7,337", "vllm 0.32.0", "3f9c2a81d0be", "22 s", "bad-share", "stop at 1,000"):
        assert words in html


def test_the_page_needs_nothing_from_outside(written: Path) -> None:
    html = page(load(written))
    assert not re.search(r"""(src|href)\s*=|@import|url\(|https?://""", html)


def test_the_page_knows_light_and_dark(written: Path) -> None:
    assert "prefers-color-scheme: dark" in page(load(written))


def test_what_slack_was_told_cannot_become_markup(written: Path) -> None:
    html = page(load(written))
    assert "<script>" not in html
    assert "<b>demo</b> stopped &lt;script&gt;" in html


def test_every_tag_is_closed(written: Path) -> None:
    class Tags(HTMLParser):
        def __init__(self) -> None:
            super().__init__()
            self.open: list[str] = []

        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            if tag not in VOID or tag == "rect":
                self.open.append(tag)

        def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            return None

        def handle_endtag(self, tag: str) -> None:
            assert self.open.pop() == tag

    tags = Tags()
    tags.feed(page(load(written)))
    assert tags.open == []


def test_a_run_without_figures_still_has_a_page(tmp_path: Path, document: dict[str, Any]) -> None:
    del document["timeline"], document["evidence"]
    path = tmp_path / "short.json"
    path.write_text(json.dumps(document | {"slack": []}))
    html = page(load(path))
    assert "<svg" not in html
    assert "Nothing was sent." in html


def test_the_headline_says_it_all(written: Path) -> None:
    assert headline(load(written)) == "1 release promoted, v1.2.0 stopped at 5 % after 22 s"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"requests": {"total": 1}}, "requests.failed"),
        ({"surprise": 1}, "surprise"),
        ({"commit": None}, "commit"),
    ],
)
def test_a_wrong_document_is_one_line_with_the_key(written: Path, changes: dict[str, Any], said: str) -> None:
    written.write_text(json.dumps(json.loads(written.read_text()) | changes))
    with pytest.raises(Refused, match=re.escape(said)) as error:
        load(written)
    assert "\n" not in str(error.value)


def test_a_missing_document_says_who_writes_it(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="make demo"):
        load(tmp_path / "none.json")


def test_figures_are_written_for_people() -> None:
    assert [spoken(value) for value in (21.7, 250, 300, 7500)] == ["22 s", "4 min 10 s", "5 min", "2 h 5 min"]
    assert [share(*pair) for pair in ((0, 9), (10, 7337), (1, 50000), (0, 0))] == ["0 %", "0.1 %", "0.002 %", "0 %"]
    assert mrkdwn("*a* <b>") == "<b>a</b> &lt;b&gt;"


def test_the_first_sentences_say_why_and_the_others_fold_away(document: dict[str, Any]) -> None:
    document["releases"][1]["why"] = ["It was stopped.", "The gate failed.", "The controller <says> so."]
    shown = page(report.Report.model_validate(document))

    assert "It was stopped. The gate failed." in shown
    assert "<details><summary>1 more</summary>" in shown
    assert "<li>The controller &lt;says&gt; so.</li>" in shown


def test_both_arms_answers_stand_side_by_side_and_are_no_markup(document: dict[str, Any]) -> None:
    same = {"id": "a", "question": "2+2?", "stable": "4", "canary": "4"}
    other = {"id": "b", "question": "Hi?", "stable": "Hello", "canary": "<b>Hi</b>"}
    html = page(report.Report.model_validate(document | {"samples": [same, other]}))
    assert "1 of 2 differ" in html
    assert "<td>Hello</td><td>&lt;b&gt;Hi&lt;/b&gt;</td>" in html
    assert html.index("Hi?") < html.index("2+2?")
    assert "side by side" not in page(report.Report.model_validate(document))
