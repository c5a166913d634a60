import pytest
from hypothesis import given
from hypothesis import strategies as st

from quality import checks

PLAIN = "The river runs from the mountains to the sea, and the sea is wide and blue."
CHINESE = "河从山上流到大海，大海又宽又蓝。"


@pytest.mark.parametrize("text", [PLAIN, CHINESE, "42", "不", "no, no, no!", "哈哈哈哈哈", "1 2 3 4 5 6 7 8 9 10"])
def test_a_plain_answer_passes_every_check(text: str) -> None:
    assert checks.failed(text) == []


@pytest.mark.parametrize("text", ["", " ", "\n\t\n", "\u3000"])
def test_an_answer_without_a_character_is_empty(text: str) -> None:
    assert "empty" in checks.failed(text)


def test_bytes_that_are_no_text_are_seen() -> None:
    assert checks.failed(b"half \xe5\x8d".decode(errors="replace")) == ["replacement"]


@pytest.mark.parametrize(
    "text",
    ["the " * 8, "of the " * 8, "不" * 8, "你好" * 8, "一二三四" * 8, "!!!!!!!!", f"{PLAIN} {'and so on ' * 8}"],
)
def test_the_same_phrase_eight_times_in_a_row_is_repetition(text: str) -> None:
    assert checks.failed(text) == ["repetition"]


@pytest.mark.parametrize("text", ["the " * 7, "of the " * 7, "你好" * 7, "一二三四" * 7, "the sea and " * 3 + "the"])
def test_seven_times_is_not(text: str) -> None:
    assert checks.failed(text) == []


def test_a_phrase_that_comes_back_with_others_between_is_no_repetition() -> None:
    assert checks.failed(" ".join(f"item {i} of the list" for i in range(20))) == []


@given(st.text(max_size=200))
def test_any_text_can_be_checked(text: str) -> None:
    assert set(checks.failed(text)) <= set(checks.CHECKS)


@given(st.lists(st.sampled_from("ab"), min_size=1, max_size=40), st.integers(1, 4))
def test_repeats_agrees_with_counting_by_hand(words: list[str], size: int) -> None:
    def run(at: int) -> int:
        phrase, times = words[at : at + size], 1
        while words[at + times * size : at + (times + 1) * size] == phrase:
            times += 1
        return times

    by_hand = max((run(at) for at in range(len(words) - size + 1)), default=0)
    assert checks.repeats(words, size) == by_hand
