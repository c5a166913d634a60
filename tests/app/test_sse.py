import itertools
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from app import sse
from app.guard import Guard
from app.said import Said, text_of
from app.words import Words


def frame(document: Any) -> bytes:
    return b"data: " + (document if isinstance(document, bytes) else json.dumps(document).encode()) + b"\n\n"


def delta(content: str, reason: str | None = None) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": {"content": content}, "finish_reason": reason}]}


USAGE = {"choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 2}}
GOOD = [frame(delta("")), frame(delta("héllo ")), frame(delta("世界", "stop")), frame(USAGE), frame(b"[DONE]")]


def judged(*frames: bytes, strip: bool = True) -> tuple[sse.Stream, bytes]:
    stream = sse.Stream(strip)
    passed = b"".join(stream.feed(one) for one in frames)
    return stream, passed + stream.rest()


@given(some.lists(some.integers(1, 40), max_size=60), some.booleans())
def test_wherever_the_bytes_are_split_the_same_comes_out(sizes: list[int], strip: bool) -> None:
    whole, parts, at = b"".join(GOOD), [], 0
    for size in sizes:
        parts.append(whole[at : at + size])
        at += size
    stream, passed = judged(*parts, whole[at:], strip=strip)

    assert stream.outcome == "ok"
    assert stream.tokens == {"in": 3, "out": 2}
    assert passed == b"".join(one for one in GOOD if not (strip and b"usage" in one))


ENDS = (b"\n", b"\r\n", b"\r")
PLAIN = [b": hello\n\n", GOOD[0], b"event: message\nid: 1\n" + GOOD[1], *GOOD[2:]]


@given(
    some.lists(some.sampled_from(ENDS), min_size=1, max_size=6),
    some.lists(some.integers(1, 40), max_size=60),
    some.booleans(),
    some.booleans(),
)
def test_the_bytes_come_as_they_are_whatever_ends_the_lines(
    ends: list[bytes], sizes: list[int], strip: bool, guarded: bool
) -> None:
    frames = ended(PLAIN, ends)
    whole, at = b"".join(frames), 0
    stream, passed = sse.Stream(strip, guard=Guard(Words(["secret"])) if guarded else None), b""
    for size in [*sizes, len(whole)]:
        passed += stream.feed(whole[at : at + size])
        at += size

    assert stream.outcome == "ok"
    assert stream.tokens == {"in": 3, "out": 2}
    assert stream.said is not None
    assert text_of(stream.said.texts[0]) == "héllo 世界"
    assert passed + stream.rest() == b"".join(one for one in frames if not (strip and b"usage" in one))


def ended(frames: list[bytes], ends: list[bytes]) -> list[bytes]:
    """The frames with these ends of lines in turn, but for those that would be read as one: CR and LF of two lines."""
    turn, last, made = itertools.cycle(ends), b"", []
    for frame in frames:
        lines = frame.split(b"\n")[:-1]
        for number, line in enumerate(lines):
            end = next(turn)
            last = b"\r" if not line and last.endswith(b"\r") and end == b"\n" else end
            lines[number] = line + last
        made.append(b"".join(lines))
    return made


@pytest.mark.parametrize("end", ENDS)
def test_a_frame_goes_out_as_soon_as_it_is_whole(end: bytes) -> None:
    stream, seen = sse.Stream(False), b""
    for one in ended(GOOD, [end]):
        seen += one
        for byte in range(len(one)):
            before = stream.feed(one[byte : byte + 1])
            assert not before or byte >= len(one) - 2
            seen = seen.removeprefix(before)
        assert seen == b""


@pytest.mark.parametrize(
    ("frames", "outcome"),
    [
        (GOOD, "ok"),
        (GOOD[:-1], "stream_truncated"),
        ([frame(delta("a")), frame(delta("b", "abort")), frame(b"[DONE]")], "engine_abort"),
        ([frame(delta("a")), frame({"error": {"message": "x"}}), frame(b"[DONE]")], "stream_error"),
        ([frame(delta("a")), frame(b'{"broken'), frame(b"[DONE]")], "stream_error"),
        ([frame(b'{"broken'), frame(b"[DONE]")], "stream_error"),
        ([], "stream_truncated"),
    ],
)
def test_how_a_stream_ended(frames: list[bytes], outcome: str) -> None:
    assert judged(*frames)[0].outcome == outcome


@pytest.mark.parametrize(
    "broken",
    [
        {"error": {"object": "error", "message": "CUDA out of memory at /opt/engine.py:7", "code": 500}},
        {"error": "CUDA out of memory"},
        {"choices": [{"index": 0, "delta": {"content": "CUDA error"}, "finish_reason": "error"}]},
    ],
)
@pytest.mark.parametrize("before", [b"", b"event: error\n"])
def test_an_engines_own_failure_is_told_in_our_words_and_openais_shape(broken: Any, before: bytes) -> None:
    stream, passed = judged(frame(delta("a")), before + frame(broken), frame(b"[DONE]"))
    events = passed.removesuffix(frame(b"[DONE]")).split(b"\n\n")
    error = json.loads(events[1].removeprefix(b"data: "))["error"]

    assert stream.outcome == "stream_error"
    assert (error["type"], error["code"], error["param"]) == ("server_error", "stream_error", None)
    assert (events[0] + b"\n\n", len(events)) == (frame(delta("a")), 3)
    assert b"CUDA" not in passed
    assert b'"finish_reason": "' not in passed


@pytest.mark.parametrize("separators", [(",", ":"), (", ", ": ")])
def test_an_abort_is_seen_with_and_without_spaces(separators: tuple[str, str]) -> None:
    end = json.dumps(delta("b", "abort"), separators=separators).encode()

    assert judged(frame(delta("a")), frame(end), frame(b"[DONE]"))[0].outcome == "engine_abort"


def test_a_text_that_speaks_of_errors_is_no_error() -> None:
    text = 'said "error" and "usage":{ and "finish_reason":"abort"'

    assert judged(frame(delta("a")), frame(delta(text)), frame(b"[DONE]"))[0].outcome == "ok"


def test_a_role_alone_is_no_content() -> None:
    stream, _ = judged(frame(delta("")))

    assert not stream.content


def test_what_comes_after_the_last_frame_is_passed_on_and_half_a_frame_before_it_is_not() -> None:
    assert judged(*GOOD, b": a comment")[1].endswith(b": a comment")
    assert judged(GOOD[0], GOOD[1][:-1])[1] == GOOD[0]


def test_broken_json_is_seen_after_many_good_frames() -> None:
    good = [frame(delta(f"word {i}")) for i in range(5)]
    for broken in (
        good[0].replace(b"word 0", b'wo"rd'),
        good[0].replace(b"word 0", b"wo\\qrd"),
        good[0][:-5] + b"\n\n",
    ):
        assert judged(*good, broken, frame(b"[DONE]"))[0].outcome == "stream_error"


@given(some.lists(some.text(min_size=1), min_size=1, max_size=8), some.booleans(), some.booleans())
def test_the_text_is_that_of_the_frames(texts: list[str], ascii_only: bool, compact: bool) -> None:
    separators = (",", ":") if compact else (", ", ": ")
    frames = [json.dumps(delta(text), ensure_ascii=ascii_only, separators=separators) for text in texts]
    stream, _ = judged(*(frame(one.encode("utf-8", "surrogatepass")) for one in frames), frame(b"[DONE]"))

    assert stream.said is not None
    assert json.loads(b'"%b"' % b"".join(stream.said.texts[0])) == "".join(texts)


def test_events_with_other_fields_are_read_too() -> None:
    error = b"event: error\n" + frame({"error": {"message": "x"}})

    assert judged(frame(delta("a")), error, frame(b"[DONE]"))[0].outcome == "stream_error"


def test_a_call_of_a_tool_has_no_text_to_look_at() -> None:
    call = {"choices": [{"index": 0, "delta": {"tool_calls": [{"id": "a"}]}, "finish_reason": None}]}

    assert judged(frame(call), frame(b"[DONE]"))[0].said is None
    assert judged(frame(delta("")), frame(b"[DONE]"))[0].said == Said()


def test_the_texts_of_several_choices_are_kept_apart() -> None:
    frames = [
        frame({"choices": [{"index": number % 2, "delta": {"content": str(number)}, "finish_reason": None}]})
        for number in range(6)
    ]

    assert judged(*frames, frame(b"[DONE]"))[0].said == Said([[b"0", b"2", b"4"], [b"1", b"3", b"5"]])


def test_a_stream_that_ended_at_its_length_is_short() -> None:
    said = [judged(frame(delta("a", reason)), frame(b"[DONE]"))[0].said for reason in ("length", "stop")]

    assert [one is not None and one.short for one in said] == [True, False]


def test_a_stream_whose_beginning_is_not_kept_is_short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sse, "KEPT_PIECES", 3)
    for number, short in ((2, False), (4, True)):
        said = judged(*[frame(delta("a"))] * number)[0].said
        assert said and said.short is short


@given(some.lists(some.integers(1, 40), max_size=60))
def test_wherever_the_bytes_are_split_a_guard_lets_the_same_out(sizes: list[int]) -> None:
    texts = ["a ", "se", "cond ", "sec", "re", "t ", "more"]
    frames = [frame(delta(text)) for text in texts] + [frame(b"[DONE]")]
    whole, at, out = b"".join(frames), 0, b""
    stream = sse.Stream(False, guard=Guard(Words(["secret"])))
    for size in [*sizes, len(whole)]:
        out += stream.feed(whole[at : at + size])
        at += size

    assert stream.cut
    assert out == b"".join(frames[:3])
    assert stream.said is not None
    assert stream.said.short
