import json

import jinja2
import pytest
from tokenizers import Tokenizer

from model import make, tokenizer


@pytest.fixture(scope="module")
def tiny() -> Tokenizer:
    return Tokenizer.from_file(str(make.TINY / "tokenizer.json"))


@pytest.mark.parametrize(
    "text", ["A release is one file.", "发布会被停止。", "naïve café, 𝛑 and \u0000", "  two  spaces\n"]
)
def test_any_text_survives_encoding_and_decoding(tiny: Tokenizer, text: str) -> None:
    assert tiny.decode(tiny.encode(text).ids) == text


def test_the_markup_of_a_chat_is_one_token_each(tiny: Tokenizer) -> None:
    assert [tiny.token_to_id(token) for token in tokenizer.SPECIAL] == [0, 1, 2]
    assert tiny.encode("<|im_end|>").ids == [tokenizer.END]


def test_texts_that_are_too_few_are_refused() -> None:
    with pytest.raises(ValueError, match="too few for 1024 tokens"):
        tokenizer.trained(["one sentence"])


def test_the_chat_template_ends_where_the_answer_begins() -> None:
    config = json.loads((make.TINY / "tokenizer_config.json").read_text(encoding="utf-8"))
    template = jinja2.Template(config["chat_template"])
    asked = [{"role": "system", "content": "s"}, {"role": "user", "content": "u"}]
    text = template.render(messages=asked, add_generation_prompt=True)
    assert text == "<|im_start|>system\ns<|im_end|>\n<|im_start|>user\nu<|im_end|>\n<|im_start|>assistant\n"
