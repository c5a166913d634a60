from pathlib import Path

import pytest

from quality import prompts

GOOD = '{"id": "a", "language": "en", "prompt": "p", "max_tokens": 4}'


def test_the_committed_set_asks_in_both_languages_and_both_ways() -> None:
    golden = prompts.load()
    assert {one.language for one in golden} == {"en", "zh"}
    assert {one.path for one in golden} == {"/v1/chat/completions", "/v1/completions"}
    assert len(golden) >= 10


def test_a_body_is_what_the_engine_takes() -> None:
    golden = prompts.golden_of(GOOD, "here")
    assert golden.body("llm", stream=True) == {"model": "llm", "prompt": "p", "max_tokens": 4, "stream": True}
    assert golden.expect == ["empty", "replacement", "repetition"]


def test_an_answer_is_held_only_against_what_is_expected_of_it() -> None:
    golden = prompts.golden_of(GOOD[:-1] + ', "expect": ["replacement"]}', "here")
    assert golden.failed("") == []
    assert golden.failed("\ufffd") == ["replacement"]


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("{", "not JSON"),
        ("[]", "needs an object"),
        ('{"id": "a", "colour": 1}', "needs an object with keys"),
        ('{"id": "a", "language": "en", "max_tokens": 4}', "either messages or prompt"),
        ('{"id": "a", "language": "en", "prompt": "p"}', "max_tokens"),
        (GOOD[:-1] + ', "expect": ["funny"]}', "no check is named funny"),
    ],
)
def test_a_line_that_cannot_be_used_is_refused_by_file_and_number(tmp_path: Path, line: str, why: str) -> None:
    (tmp_path / "set.jsonl").write_text(f"{GOOD}\n{line}\n")
    with pytest.raises(prompts.GoldenError, match=rf"set\.jsonl:2: .*{why}"):
        prompts.load(tmp_path)


def test_an_id_that_stands_twice_is_refused(tmp_path: Path) -> None:
    (tmp_path / "set.jsonl").write_text(f"{GOOD}\n{GOOD}\n")
    with pytest.raises(prompts.GoldenError, match="an id stands twice"):
        prompts.load(tmp_path)


def test_a_folder_without_prompts_is_refused(tmp_path: Path) -> None:
    with pytest.raises(prompts.GoldenError, match="no golden prompt"):
        prompts.load(tmp_path)
