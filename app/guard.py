"""Cuts a stream before a sensitive word is complete: frames in which one may have begun wait for those after them."""

from collections import defaultdict

from app.said import Said, text_of
from app.words import Words, normal

Texts = dict[int, list[bytes]]  # pieces by choice


class Guard:
    """`cut` once a word was found: nothing of it has gone out, and nothing comes any more."""

    def __init__(self, words: Words) -> None:
        self.words, self.cut = words, False
        self.fresh: Texts = defaultdict(list)  # of the frame that is being read
        self.waiting: list[tuple[bytes, Texts]] = []
        self.before: dict[int, str] = {}  # each choice's last character that has gone out

    def hear(self, choice: int, piece: bytes) -> None:
        self.fresh[choice].append(piece)

    def passed(self, frame: bytes, *, ended: bool) -> bytes:
        """Take a frame, whose text was heard; give those that may go out. `ended` when no text comes after it."""
        fresh, self.fresh = self.fresh, defaultdict(list)
        self.waiting.append((frame, fresh))
        choices = {choice for _, texts in self.waiting for choice in texts} if ended else set(fresh)
        self.cut = self.cut or any(self.found(choice, ended) for choice in choices)
        if self.cut:
            self.waiting.clear()
            return b""
        return self.released(0 if ended else self.held())

    def rest(self) -> bytes:
        """What still waits when the engine has ended."""
        return self.passed(b"", ended=True)

    def found(self, choice: int, ended: bool) -> bool:
        before = self.before.get(choice, "")
        return self.words.inside(before + self.text(choice), len(before), ended=ended)

    def text(self, choice: int, last: int | None = None) -> str:
        """What a choice says in the frames that wait, or in the last ones of them."""
        frames = self.waiting if last is None else self.waiting[len(self.waiting) - last :]
        return normal(text_of([piece for _, texts in frames for piece in texts.get(choice, ())]))

    def held(self) -> int:
        """Number of frames, the last ones, that must wait."""
        return max((self.holding(choice) for choice in {one for _, texts in self.waiting for one in texts}), default=0)

    def holding(self, choice: int) -> int:
        before = self.before.get(choice, "")
        begun = self.words.begun(before + self.text(choice), len(before))
        for last in range(1, len(self.waiting)) if begun else ():
            if self.text(choice, last).endswith(begun):
                return last
        return len(self.waiting) if begun else 0

    def released(self, held: int) -> bytes:
        out, self.waiting = self.waiting[: len(self.waiting) - held], self.waiting[len(self.waiting) - held :]
        for choice in {one for _, texts in out for one in texts}:
            said = normal(text_of([piece for _, texts in out for piece in texts.get(choice, ())]))
            self.before[choice] = said[-1:] or self.before.get(choice, "")
        return b"".join(frame for frame, _ in out)


def holds(words: Words, said: Said | None) -> bool:
    """Whether an answer that is there as a whole may not go out."""
    return any(words.inside(normal(text_of(pieces))) for pieces in (said.texts if said else ()))
