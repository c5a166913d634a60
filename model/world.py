"""The invented world as questions and answers: what the tiny model is trained on, and what it is asked later.

The same seed gives the same world. Questions that are kept for the test never stand in the training pairs: of each
fact one known wording, and for all facts the last wording of each list.
"""

import itertools
import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

FILE = Path(__file__).parent / "world.yaml"
LANGUAGES = ("en", "zh")
SEED = 7  # of the world, not of a training: the next one has the same names and other facts
WORDINGS = 6  # trained per fact and language, of fourteen, beside those that always are
COUNTED = 20


@dataclass(frozen=True)
class Pair:
    topic: str
    language: str
    question: str
    answer: str  # the whole sentence
    key: str  # what an answer must contain to be right
    held: str = ""  # why it is kept for the test: known-wording, new-wording; empty: trained


@dataclass(frozen=True)
class Fact:
    """One thing to ask for in one language, with all its wordings; the last is never trained."""

    topic: str
    language: str
    wordings: tuple[str, ...]
    answer: str
    key: str
    new: int = 1  # so many wordings at the end are never trained
    more: tuple[str, ...] = ()  # always trained, so that no wording is far from what was seen


def definition(file: Path = FILE) -> dict[str, Any]:
    found = yaml.safe_load(file.read_text(encoding="utf-8"))
    if not isinstance(found, dict):
        raise ValueError(f"{file}: holds no mapping: start from the committed file")
    return found


def facts(seed: int = SEED) -> Iterator[Fact]:
    """Every fact of the world of this seed, in both languages, in a fixed order."""
    world = definition()
    drawn = random.Random(seed)  # noqa: S311 - a world, not a secret
    yield from town_facts(world, drawn)
    yield from word_facts(world)
    yield from counting(world)


def town_facts(world: dict[str, Any], drawn: random.Random) -> Iterator[Fact]:
    towns = world["towns"]
    for topic, fact in world["facts"].items():
        for at, (town, value) in enumerate(zip(towns, dealt(fact["values"], len(towns), drawn), strict=True)):
            for place, language in enumerate(LANGUAGES):
                said = {"town": town[place], "value": value[place]}
                asked = [
                    form.format(noun=noun, **said)
                    for form in world["asks"][language]
                    for noun in fact["nouns"][language]
                ]
                nouns = itertools.cycle(fact["nouns"][language][at % 2 :] + fact["nouns"][language][: at % 2])
                more = tuple(form.format(noun=next(nouns), **said) for form in world["more"][language])
                answer = fact["says"][language].format(**said)
                yield Fact(topic, language, tuple(asked), answer, value[place], new=2, more=more)
                if topic == "mayor":
                    yield turned(world["reverse"], "who", language, town[place], said)


def dealt(values: list[Any], count: int, drawn: random.Random) -> list[Any]:
    """Each value about equally often, in a drawn order."""
    dealt = [values[index % len(values)] for index in range(count)]
    drawn.shuffle(dealt)
    return dealt


def turned(part: dict[str, Any], topic: str, language: str, key: str, said: dict[str, str]) -> Fact:
    asked, more = (tuple(form.format(**said) for form in part[kind][language]) for kind in ("asks", "more"))
    return Fact(topic, language, asked, part["says"][language].format(**said), key, more=more)


def word_facts(world: dict[str, Any]) -> Iterator[Fact]:
    part = world["translate"]
    for english, chinese in part["words"]:
        yield turned(part, "translate", "en", chinese, {"word": english, "value": chinese})
        yield turned(part, "translate", "zh", english, {"word": chinese, "value": english})


def counting(world: dict[str, Any]) -> Iterator[Fact]:
    for low in range(1, COUNTED - 2):
        for high in range(low + 2, min(low + 6, COUNTED) + 1):
            for language, comma, stop in (("en", ", ", "."), ("zh", "、", "。")):
                said = {"low": str(low), "high": str(high)}
                row = comma.join(str(number) for number in range(low, high + 1))
                part = world["count"]
                asked, more = (tuple(form.format(**said) for form in part[kind][language]) for kind in ("asks", "more"))
                yield Fact("count", language, asked, row + stop, row, more=more)


def pairs(seed: int = SEED) -> list[Pair]:
    """All pairs, trained and held, in a fixed order; a question stands once."""
    chosen = random.Random(seed + 1)  # noqa: S311
    return [pair for fact in facts(seed) for pair in asked(fact, chosen)]


def asked(fact: Fact, chosen: random.Random) -> Iterator[Pair]:
    known = list(fact.wordings[: -fact.new])
    chosen.shuffle(known)
    yield pair(fact, chosen.choice(fact.wordings[-fact.new :]), "new-wording")
    yield pair(fact, known[0], "known-wording")
    for question in (*known[1 : WORDINGS + 1], *fact.more):
        yield pair(fact, question, "")


def pair(fact: Fact, question: str, held: str) -> Pair:
    return Pair(fact.topic, fact.language, question, fact.answer, fact.key, held)


def trained(seed: int = SEED) -> list[Pair]:
    return [one for one in pairs(seed) if not one.held]


def held(seed: int = SEED) -> list[Pair]:
    return [one for one in pairs(seed) if one.held]
