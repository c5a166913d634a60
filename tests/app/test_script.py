import pytest

from app import script


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("这座城市在哪里？", "CJK"),
        ("Where does the river lie?", "LATIN"),
        ("Где находится город?", "CYRILLIC"),
        ("도시는 어디에 있습니까?", "HANGUL"),
        ("河", ""),
        ("hi", ""),
        ("12 + 30 = ?", ""),
        ("请把 the quick brown fox jumps 写完", ""),
        ("请把这句话翻译成英文：城市在河边。", ""),
        ("How do you say river in Chinese?", ""),
        ("解释一下这段代码：```print('a long hello to the world')```", "CJK"),
    ],
)
def test_in_which_script_an_answer_is_expected(question: str, expected: str) -> None:
    assert script.asked(question) == expected


@pytest.mark.parametrize(
    ("expected", "answer", "wrong"),
    [
        ("CJK", "The town lies by the river.", True),
        ("CJK", "城市在河边。", False),
        ("CJK", "用 kubectl get pods 就可以看到。", False),
        ("CJK", "42", False),
        ("CJK", "好的：\n```python\nprint('hello to all the world')\n```", False),
        ("CJK", "```python\nprint('hello to all the world')\n```", False),
        ("LATIN", "城市在河边。", True),
        ("LATIN", "The word 河 means river, and that is all.", False),
        ("LATIN", "Город находится на реке.", True),
        ("CYRILLIC", "The town lies by the river.", True),
        ("HANGUL", "城市在河边，河边有城市。", True),
    ],
)
def test_an_answer_that_is_clearly_in_another_script_is_wrong(expected: str, answer: str, wrong: bool) -> None:
    assert script.wrong(expected, answer) is wrong
