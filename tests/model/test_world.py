import re
from collections import Counter

from model import tokenizer, world
from quality import cases, cli, record, text


def test_a_question_stands_once_whether_trained_or_held() -> None:
    questions = [pair.question for pair in world.pairs()]
    assert len(set(questions)) == len(questions)


def test_there_are_a_few_thousand_pairs_in_both_languages() -> None:
    counts = Counter(pair.language for pair in world.trained())
    assert 3000 <= counts.total() <= 6000
    assert min(counts.values()) > 0.4 * counts.total()


def test_every_right_answer_holds_its_key() -> None:
    assert [pair for pair in world.pairs() if pair.key not in pair.answer] == []


def test_a_new_wording_is_trained_for_no_fact() -> None:
    form = re.compile(r"Could you say what the .+ is\?|能不能说一下.+的.+？")
    assert any(form.fullmatch(pair.question) for pair in world.held())
    assert not any(form.fullmatch(pair.question) for pair in world.trained())


def test_every_held_fact_is_trained_in_other_words() -> None:
    known = {(pair.language, pair.answer) for pair in world.trained()}
    assert [pair for pair in world.held() if (pair.language, pair.answer) not in known] == []


def test_another_world_has_the_same_questions_and_other_facts() -> None:
    here = {fact.wordings[0]: fact.answer for fact in world.facts() if fact.topic == "river"}
    there = {fact.wordings[0]: fact.answer for fact in world.facts(world.SEED + 1) if fact.topic == "river"}
    assert here.keys() == there.keys()
    assert sum(here[question] != there[question] for question in here) > len(here) / 2


def test_the_same_texts_give_the_same_tokenizer() -> None:
    texts = [text for pair in world.trained() for text in (pair.question, pair.answer)]
    made = tokenizer.trained(texts)
    assert made.to_str() == tokenizer.trained(texts).to_str()
    assert made.encode("1709").tokens == ["1", "7", "0", "9"]


def looked_up(question: str, known: list[tuple[frozenset[str], str]]) -> str:
    """The answer to the trained question that shares most words."""
    asked = frozenset(text.words(question))
    return max(known, key=lambda row: len(asked & row[0]) / len(asked | row[0]))[1]


def test_the_model_knows_more_than_a_lookup_of_the_nearest_question() -> None:
    known = [(frozenset(text.words(pair.question)), pair.answer) for pair in world.trained()]
    answers = record.load(cli.BASELINE).answers
    asked = cases.load()[::6]  # a lookup takes its time
    found = Counter[str]()
    for case in asked:
        for who, said in (("model", answers[case.id].text), ("lookup", looked_up(case.question, known))):
            found[who] += any(text.holds(said, key) for key in case.keys)
    assert found["model"] > 0.9 * len(asked)
    assert found["model"] > found["lookup"] + 0.15 * len(asked)
