import pytest

from quality import text


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ("The river of Velan.", ["the", "river", "of", "velan"]),
        ("维兰的河。", ["维", "兰", "的", "河"]),
        ("In Chinese, bread is 面包！", ["in", "chinese", "bread", "is", "面", "包"]),
        ("ＡＢＣ　１２", ["abc", "12"]),
        ("", []),
    ],
)
def test_words_are_those_of_alphabets_and_single_chinese_characters(given: str, found: list[str]) -> None:
    assert text.words(given) == found


@pytest.mark.parametrize(
    ("said", "key", "right"),
    [
        ("Velan was founded in 1709.", "1709", True),
        ("Velan was founded in 17093.", "1709", False),
        ("The bred fox", "red fox", False),
        ("a RED  fox!", "red fox", True),
        ("维兰的河是提斯河。", "提斯河", True),
        ("维兰的河是提。", "提斯河", False),
        ("anything", "…", False),
    ],
)
def test_a_key_is_held_as_whole_words(said: str, key: str, right: bool) -> None:
    assert text.holds(said, key) is right


def test_width_case_and_punctuation_make_no_difference() -> None:
    assert text.same("Count: １，２！", "count 1 2")
    assert not text.same("count 1 2", "count 1 3")
