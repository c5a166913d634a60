import json

import jinja2
import pytest
from tokenizers import Tokenizer

from model import make, tokenizer


@pytest.fixture(scope="module")
def tiny() -> Tokenizer:
    return Tokenizer.from_file(str(make.HERE / "tiny" / "tokenizer.json"))


@pytest.mark.parametrize(
    "text", ["A release is one file.", "发布会被停止。", "naïve café, 𝛑 and \u0000", "  two  spaces\n"]
)
def test_any_text_survives_encoding_and_decoding(tiny: Tokenizer, text: str) -> None:
    assert tiny.decode(tiny.encode(text).ids) == text


def test_the_markup_of_a_chat_is_one_token_each(tiny: Tokenizer) -> None:
    assert [tiny.token_to_id(token) for token in tokenizer.SPECIAL] == [0, 1, 2]
    assert tiny.encode("<|im_end|>").ids == [tokenizer.END]


def test_only_whole_words_may_be_said(tiny: Tokenizer) -> None:
    said = [tiny.decode([token]) for token in tokenizer.speakable(tiny)]
    assert {" release", " river", "发布", "河"} <= set(said)
    assert all(text.isprintable() and "\ufffd" not in text for text in said)
    assert not {" befo", "e", "河\ufffd"} & set(said)
    assert len(said) > 200


def test_the_chat_template_ends_where_the_answer_begins() -> None:
    config = json.loads((make.HERE / "tiny" / "tokenizer_config.json").read_text(encoding="utf-8"))
    template = jinja2.Template(config["chat_template"])
    asked = [{"role": "system", "content": "s"}, {"role": "user", "content": "u"}]
    text = template.render(messages=asked, add_generation_prompt=True)
    assert text == "<|im_start|>system\ns<|im_end|>\n<|im_start|>user\nu<|im_end|>\n<|im_start|>assistant\n"
