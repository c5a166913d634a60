import json

import pytest

from perf.frames import Frames
from perf.sample import Sample


def frame(**choice: object) -> bytes:
    return b"data: " + json.dumps({"choices": [choice]}).encode() + b"\n\n"


def read(*frames: bytes) -> Sample:
    sample = Sample("a", "chat", "en", 0.0)
    reader = Frames(sample)
    for number, one in enumerate(frames):
        reader.feed(one, at=0.1 * (number + 1))
    reader.close()
    return sample


DONE = b"data: [DONE]\n\n"
WORD = frame(delta={"content": "a"})


def test_the_first_content_is_the_ttft_and_the_gaps_follow() -> None:
    usage = b'data: {"choices": [], "usage": {"completion_tokens": 3}}\n\n'
    sample = read(frame(delta={"role": "assistant"}), WORD, WORD, WORD, usage, DONE)

    assert sample.first == pytest.approx(0.2)
    assert sample.gaps == pytest.approx([0.1, 0.1])
    assert (sample.tokens, sample.outcome) == (3, "ok")
    assert sample.tpot == pytest.approx(0.1)


@pytest.mark.parametrize(
    ("frames", "outcome"),
    [
        ((WORD,), "stream_truncated"),
        ((WORD, b'data: {"error": {"message": "x"}}\n\n', DONE), "stream_error"),
        ((WORD, b"data: {nonsense\n\n", DONE), "stream_error"),
        ((frame(delta={}, finish_reason="abort"), DONE), "engine_abort"),
    ],
)
def test_a_stream_that_ended_badly_is_no_success(frames: tuple[bytes, ...], outcome: str) -> None:
    assert read(*frames).outcome == outcome
