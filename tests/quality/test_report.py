from quality import report


def test_a_difference_is_read_word_by_word_in_english() -> None:
    found = report.difference("The river is the Tisk.", "The river is the Marl.")
    assert found == [("same", "The river is the"), ("gone", "Tisk"), ("new", "Marl"), ("same", ".")]


def test_a_difference_is_read_character_by_character_in_chinese() -> None:
    assert report.difference("维兰的河是提斯河。", "维兰的河是红叶河。") == [
        ("same", "维兰的河是"),
        ("gone", "提斯"),
        ("new", "红叶"),
        ("same", "河。"),
    ]


def test_equal_answers_have_no_difference() -> None:
    assert report.difference("a b", "a b") == [("same", "a b")]
    assert report.difference("", "") == []
