"""What is asked: prompts of three kinds in two languages, their lengths drawn from long-tailed distributions."""

import math
import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

CONTEXT = 4096  # tokens; the lengths below are for a model of this context, others get them scaled
TEMPLATE_TOKENS = 24  # room for the chat template
SIGMA = 1.0  # of the log-normals: chats are long-tailed, a mean hides that
BYTES = {"en": 4.0, "zh": 4.5}  # UTF-8 bytes per token of common tokenizers

TEXT = (
    "the river town asks how many people cross old bridge before winter and why a quiet garden keeps its light when"
    " every letter says that trains leave late but answers come soon so please write list explain compare sum up"
)
EN = TEXT.split()
ZH = "请问这条河从哪里流到哪里为什么小城的人每天早上都要过桥花园里有多少种树火车几点开写一封信给朋友说说天气和收成"


@dataclass(frozen=True)
class Kind:
    """Means in tokens of CONTEXT; `prefix` is a system prompt that all of this kind share."""

    name: str
    share: float
    prompt: float
    answer: float
    prefix: float = 0


# Means of ShareGPT (161 in, 338 out) and Alpaca (19, 58): Kwon et al. 2023 (PagedAttention), figure 11.
# Long context is ours: a document of some pages with a short answer.
KINDS = (
    Kind("chat", 0.6, prompt=161, answer=338),
    Kind("long", 0.1, prompt=1600, answer=120),
    Kind("prefix", 0.3, prompt=19, answer=58, prefix=500),
)


@dataclass(frozen=True)
class Prompt:
    kind: str
    language: str
    messages: list[dict[str, str]]
    max_tokens: int

    def body(self, model: str) -> dict[str, Any]:
        """As long as drawn, whatever the model would like: `ignore_eos` makes two engines write equally much."""
        asked = {"model": model, "messages": self.messages, "max_tokens": self.max_tokens, "temperature": 0}
        return asked | {"ignore_eos": True, "stream": True, "stream_options": {"include_usage": True}}

    def simple(self) -> dict[str, Any]:
        """The same for `/predict`."""
        return {"prompt": self.messages[-1]["content"], "max_new_tokens": self.max_tokens}


class Mix:
    """An endless, seeded supply of prompts that fit `context` tokens."""

    def __init__(self, seed: int, context: int = CONTEXT, zh: float = 0.5) -> None:
        self.context, self.zh = context, zh
        self.random = random.Random(0)  # noqa: S311 - all seeds share the prefixes: that is what they are for
        self.prefixes = {name: self.text(name, self.tokens(500) * BYTES[name]) for name in BYTES}
        self.random = random.Random(seed)  # noqa: S311

    def __iter__(self) -> Iterator[Prompt]:
        while True:
            yield self.draw()

    def draw(self) -> Prompt:
        kind = self.random.choices(KINDS, [kind.share for kind in KINDS])[0]
        language = "zh" if self.random.random() < self.zh else "en"
        answer = min(max(1, round(self.drawn(kind.answer))), self.context // 4)
        system = [{"role": "system", "content": self.prefixes[language]}] if kind.prefix else []
        # a byte is at least a token of a byte-level tokenizer that knows nothing better: it always fits
        room = self.context - answer - TEMPLATE_TOKENS - sum(len(one["content"].encode()) for one in system)
        size = min(max(4.0, self.drawn(kind.prompt) * BYTES[language]), max(4, room))
        messages = [*system, {"role": "user", "content": self.text(language, size)}]
        return Prompt(kind.name, language, messages, answer)

    def tokens(self, mean: float) -> float:
        return mean * self.context / CONTEXT

    def drawn(self, mean: float) -> float:
        """A log-normal length of that mean, scaled to the context."""
        return self.random.lognormvariate(math.log(self.tokens(mean)) - SIGMA**2 / 2, SIGMA)

    def text(self, language: str, size: float) -> str:
        """Text of at most `size` UTF-8 bytes."""
        if language == "zh":
            return "".join(self.random.choices(ZH, k=max(1, int(size) // 3)))
        words: list[str] = self.random.choices(EN, k=int(size) // 3 + 1)
        return " ".join(words)[: max(1, int(size))]
