"""The tiny model's tokenizer: byte-level BPE over a small text in both languages, with Qwen's chat markup."""

import json
import re
from pathlib import Path

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

CORPUS = Path(__file__).parent / "corpus.txt"
VOCABULARY = 1024
SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
START_OF_TEXT, END = 0, 2

CHAT_TEMPLATE = (
    "{% for message in messages %}"
    "{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>\\n' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)
CONFIG = {
    "tokenizer_class": "PreTrainedTokenizerFast",
    "chat_template": CHAT_TEMPLATE,
    "bos_token": None,
    "eos_token": "<|im_end|>",
    "pad_token": "<|endoftext|>",
    "model_max_length": 512,
    "clean_up_tokenization_spaces": False,
}


def trained() -> Tokenizer:
    """The same tokenizer each time: the trainer breaks ties by token id."""
    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=SPECIAL,
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    made.train_from_iterator(CORPUS.read_text(encoding="utf-8").splitlines(), trainer)
    if made.get_vocab_size() != VOCABULARY:
        raise ValueError(f"{CORPUS}: too small for {VOCABULARY} tokens, got {made.get_vocab_size()}")
    return made


def speakable(made: Tokenizer) -> list[int]:
    """Ids of the tokens that are whole, printable words by themselves: not bytes, letters or halves of words."""
    words = set(re.findall(r"[A-Za-z]+|\d+", CORPUS.read_text(encoding="utf-8")))
    texts = {token: made.decode([token]) for token in range(len(SPECIAL), VOCABULARY)}
    return [token for token, text in texts.items() if is_word(text, words)]


def is_word(text: str, words: set[str]) -> bool:
    if text.isascii():
        return text.startswith(" ") and text[1:] in words
    return text.isprintable() and "\ufffd" not in text


def write(made: Tokenizer, folder: Path) -> None:
    made.save(str(folder / "tokenizer.json"))
    text = json.dumps(CONFIG, indent=2, ensure_ascii=False)
    (folder / "tokenizer_config.json").write_text(text + "\n", encoding="utf-8")
