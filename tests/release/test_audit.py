from release.audit import Entry, chosen, promoted, read, shown, write
from tests.release.team import Team


def test_lines_come_back_in_order_with_who_and_when(team: Team) -> None:
    write(team.history, Entry("staging", "v1.0.0", "recorded", when="2026-01-01T00:00:00+00:00"))
    write(team.clone("other"), Entry("prod", "v1.0.0", "promotion", when="2026-01-02T00:00:00+00:00"))
    found = read(team.history)
    assert [(one.environment, one.what, one.who) for one in found] == [
        ("staging", "recorded", "ada"),
        ("prod", "promotion", "ada"),
    ]
    assert [one.environment for one in read(team.history, "prod")] == ["prod"]
    assert read(team.history, version="v9.9.9") == []
    assert "v1.0.0  promotion  by ada" in shown(found[1])


def test_a_verdict_told_twice_is_one_line(team: Team) -> None:
    for _ in range(2):
        write(team.history, Entry("staging", "v1.0.0", "verdict", verdict="aborted", release="x"))
    assert len(read(team.history)) == 1


def test_a_release_that_was_stopped_later_is_not_a_good_one(team: Team) -> None:
    good = Entry("staging", "v1.0.0", "verdict", verdict="promoted", release="x")
    write(team.history, good)
    assert promoted(team.history, "staging").keys() == {"x"}
    write(team.history, Entry("staging", "v1.0.0", "verdict", verdict="aborted", release="x"))
    assert promoted(team.history, "staging") == {}


def test_a_repository_without_a_log_has_no_lines(team: Team) -> None:
    assert read(team.history, "staging") == []


def test_the_log_answers_who_did_what_since_when() -> None:
    lines = [
        Entry("prod", "v1.0.0", "verdict", verdict="promoted", who="ada", when="2026-01-01T09:00:00+00:00"),
        Entry("prod", "v1.1.0", "verdict", verdict="aborted", who="bob", when="2026-01-02T09:00:00+00:00"),
        Entry("prod", "v1.0.0", "rollback", who="ada", when="2026-01-03T09:00:00+00:00"),
    ]
    assert chosen(lines, "", "", "") == lines
    assert chosen(lines, "verdict", "", "") == lines[:2]
    assert chosen(lines, "aborted", "", "") == lines[1:2]
    assert chosen(lines, "", "ada", "") == [lines[0], lines[2]]
    assert chosen(lines, "", "", "2026-01-02") == lines[1:]
    assert chosen(lines, "rollback", "bob", "") == []
