from app.said import inside, text_of


def test_a_character_in_two_pieces_is_whole_and_half_of_one_is_not() -> None:
    assert text_of([rb"\ud83d", rb"\ude00"]) == "\U0001f600"
    assert text_of([rb"a\ud83d"]) == "a\ufffd"


def test_pieces_are_the_insides_of_json_strings() -> None:
    assert text_of([inside('a "b"\n'), inside("河")]) == 'a "b"\n河'
