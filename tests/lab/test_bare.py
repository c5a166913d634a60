import pytest

from lab import bare


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """Exit codes by the word of the command, each a success until a test says otherwise."""
    codes = {word: 0 for _, word in (*bare.STEPS, bare.LAST)}
    monkeypatch.setattr(bare, "step", lambda _, word: codes[word])
    return codes


def objects(monkeypatch: pytest.MonkeyPatch, *seen: set[str]) -> None:
    found = iter(seen)
    monkeypatch.setattr(bare, "objects", lambda: next(found))


def test_a_cluster_that_is_as_it_was_found_is_a_success(steps: dict[str, int], monkeypatch: pytest.MonkeyPatch) -> None:
    objects(monkeypatch, {"namespace/default"}, {"namespace/default"})

    assert bare.proved() == 0


def test_what_is_left_is_named(
    steps: dict[str, int], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    objects(monkeypatch, set(), {"namespace/sluice-lab"})

    assert bare.proved() == 1
    assert "left in the cluster: namespace/sluice-lab" in capsys.readouterr().out


@pytest.mark.parametrize("word", [word for _, word in (*bare.STEPS, bare.LAST)])
def test_a_step_that_fails_fails_all(steps: dict[str, int], monkeypatch: pytest.MonkeyPatch, word: str) -> None:
    objects(monkeypatch, set(), set())
    steps[word] = 6

    assert bare.proved() == 6


def test_nothing_is_played_on_what_did_not_come_up_and_all_is_taken_back(monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[str] = []
    monkeypatch.setattr(bare, "step", lambda _, word: done.append(word) or (6 if word == "up" else 0))
    objects(monkeypatch, set(), set())

    assert bare.proved() == 6
    assert done == ["up", "down"]
