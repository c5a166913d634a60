import itertools
import statistics
from collections import Counter

from perf.mix import KINDS, Mix, Prompt


def drawn(seed: int = 1, number: int = 2000) -> list[Prompt]:
    return list(itertools.islice(Mix(seed), number))


def test_a_seed_is_a_mix() -> None:
    assert drawn(1, 20) == drawn(1, 20) != drawn(2, 20)


def test_kinds_and_languages_have_their_shares() -> None:
    prompts = drawn()
    kinds = Counter(one.kind for one in prompts)

    assert all(abs(kinds[kind.name] / len(prompts) - kind.share) < 0.05 for kind in KINDS)
    assert 0.45 < sum(one.language == "zh" for one in prompts) / len(prompts) < 0.55


def test_lengths_are_long_tailed() -> None:
    lengths = [one.max_tokens for one in drawn() if one.kind == "chat"]

    assert statistics.mean(lengths) > 1.2 * statistics.median(lengths)


def test_every_prompt_fits_the_context() -> None:
    for one in itertools.islice(Mix(3, context=512), 500):
        size = sum(len(message["content"].encode()) for message in one.messages)
        assert one.max_tokens + min(size, 512) <= 512 or size <= 512 - one.max_tokens


def test_all_of_a_kind_share_their_prefix_whatever_the_seed() -> None:
    prefixes = {one.messages[0]["content"] for seed in (1, 2) for one in drawn(seed, 200) if one.kind == "prefix"}

    assert len(prefixes) == 2  # one for each language
