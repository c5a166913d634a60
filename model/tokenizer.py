"""The tiny model's tokenizer: byte-level BPE over the invented world, digits one by one, with Qwen's chat markup."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

VOCABULARY = 1024
POSITIONS = 512
SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
START_OF_TEXT, END = 0, 2

CHAT_TEMPLATE = (
    "{% for message in messages %}"
    "{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>\\n' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)


def config(chat_template: str = CHAT_TEMPLATE) -> dict[str, Any]:
    return {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "chat_template": chat_template,
        "bos_token": None,
        "eos_token": "<|im_end|>",
        "pad_token": "<|endoftext|>",
        "model_max_length": POSITIONS,
        "clean_up_tokenization_spaces": False,
    }


def trained(texts: Iterable[str]) -> Tokenizer:
    """The same tokenizer for the same texts: the trainer breaks ties by token id."""
    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    made.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=SPECIAL,
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    made.train_from_iterator(texts, trainer)
    if made.get_vocab_size() != VOCABULARY:
        raise ValueError(f"the texts are too few for {VOCABULARY} tokens: they gave {made.get_vocab_size()}")
    return made


def write(made: Tokenizer, folder: Path, chat_template: str = CHAT_TEMPLATE) -> None:
    made.save(str(folder / "tokenizer.json"))
    text = json.dumps(config(chat_template), indent=2, ensure_ascii=False)
    (folder / "tokenizer_config.json").write_text(text + "\n", encoding="utf-8")
