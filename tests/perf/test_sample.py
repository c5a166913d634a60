from pathlib import Path

from perf.sample import Sample, load, save


def test_raw_records_are_read_as_they_were_written(tmp_path: Path) -> None:
    good = Sample("a", "chat", "zh", 0.5, first=0.1, gaps=[0.01])
    samples = [good, Sample("b", "long", "en", 1.0, outcome="timeout")]
    save(samples, tmp_path / "raw.jsonl")

    assert load(tmp_path / "raw.jsonl") == samples


def test_one_token_has_no_pace() -> None:
    assert Sample("a", "chat", "en", 0.0, first=0.1, last=0.1, tokens=1).tpot is None
