from perf.bench import results
from perf.bench.results import TARGETS
from perf.bench.rounds import Raw


def test_every_target_knows_which_side_is_good() -> None:
    assert TARGETS["added_p50_ms"].met(0.9)
    assert not TARGETS["added_p50_ms"].met(1.1)
    assert TARGETS["frames_core"].met(7000)
    assert not TARGETS["frames_core"].met(5000)
    assert TARGETS["frames_core"].missed_by(3000) == "missed by 50%"


def test_one_lost_frame_is_missed() -> None:
    assert results.missed({"lost_frames": 1}) == ["lost_frames"]
    assert results.missed({"lost_frames": 0}) == []


def test_what_was_not_measured_is_said_and_is_null() -> None:
    document = results.document({"rps_core": 1200.0}, Raw(), "c0ffee", [])

    assert document["rps_core"] == 1200.0
    assert document["toks_ratio"] is None
    assert "not measured" in results.table({"rps_core": 1200.0})
