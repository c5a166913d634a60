import pytest
from hypothesis import given
from hypothesis import strategies as st
from semver import Version

from release.audit import Entry
from release.errors import ForgeAway, Unconventional
from release.history import Commit, History, identity
from release.rollback import Found, rollback
from release.verdict import settle
from release.version import Change, Next, bumped, change_of, changelog, following, tagged, text_of
from release.write import path_of
from tests.release.team import Team, release_text


def change(kind: str, breaking: bool = False) -> Change:
    return Change(kind, "", "text", breaking, "0" * 40)


@pytest.mark.parametrize(
    ("before", "changes", "after"),
    [
        (None, [change("fix")], "0.1.0"),
        ("1.2.3", [change("fix")], "1.2.4"),
        ("1.2.3", [change("fix"), change("feat")], "1.3.0"),
        ("1.2.3", [change("docs", breaking=True)], "2.0.0"),
        ("0.2.3", [change("feat", breaking=True)], "0.3.0"),
        ("1.2.3", [change("docs"), change("chore")], None),
    ],
)
def test_the_greatest_change_decides(before: str | None, changes: list[Change], after: str | None) -> None:
    found = bumped(Version.parse(before) if before else None, changes)
    assert (str(found) if found else None) == after


@given(st.lists(st.sampled_from(["feat", "fix", "docs"]).map(change), min_size=1))
def test_a_version_never_goes_back(changes: list[Change]) -> None:
    before = Version.parse("1.2.3")
    assert (bumped(before, changes) or before) >= before


@pytest.mark.parametrize("subject", ["Fix it", "feat:no space", "feature: x", "feat : x", "Merge branch 'main'", ""])
def test_another_message_is_named_with_its_commit(subject: str) -> None:
    with pytest.raises(Unconventional, match="abcdef123456"):
        change_of(Commit("abcdef1234567890", subject, "", "ada", ""))


def test_a_breaking_change_is_seen_in_the_body_too() -> None:
    found = change_of(Commit("a" * 40, "fix(app): x", "why\n\nBREAKING CHANGE: y", "ada", ""))
    assert found.breaking
    assert "Breaking changes:\n- app: x" in changelog([found])


def test_a_merge_gets_an_annotated_tag_with_its_changelog(team: Team) -> None:
    made = team.push("feat(app): a door")
    found = tagged(team.history, made)
    assert (found.name, found.new) == ("v0.1.0", True)
    assert team.history.git("cat-file", "-t", "v0.1.0").strip() == "tag"
    assert "- app: a door" in text_of(team.history, "v0.1.0")
    assert "refs/tags/v0.1.0" in team.history.git("ls-remote", "origin")


def test_the_same_commit_gets_the_same_version_again(team: Team) -> None:
    made = team.push("feat: a door")
    first, second = tagged(team.history, made), tagged(team.clone("again"), made)
    assert (second.name, second.new) == (first.name, False)


def test_two_merges_at_once_get_two_versions_in_their_order(team: Team) -> None:
    tagged(team.history, team.push("feat: zero"))
    one, two = team.push("fix: one"), team.push("fix: two")
    late, early = team.clone("late"), team.clone("early")
    assert tagged(early, one).name == "v0.1.1"
    assert tagged(late, two).name == "v0.1.2"


def test_an_older_merge_never_gets_a_version_above_a_newer_ones(team: Team) -> None:
    tagged(team.history, team.push("feat: zero"))
    one, two = team.push("fix: one"), team.push("fix: two")
    late, early = team.clone("late"), team.clone("early")
    newer = tagged(early, two)
    assert (newer.name, "- one" in newer.changelog, "- two" in newer.changelog) == ("v0.1.1", True, True)
    assert tagged(late, one) == Next("v0.1.1", "", new=False, own=False)
    assert team.history.git("ls-remote", "--tags", "--refs", "origin").count("refs/tags/") == 2


def test_whoever_loses_the_race_for_a_tag_looks_again(team: Team, monkeypatch: pytest.MonkeyPatch) -> None:
    """The newer merge's tag lands between the look and the push of the older one's."""
    tagged(team.history, team.push("feat: zero"))
    one, two = team.push("fix: one"), team.push("fix: two")
    late, early, push = team.clone("late"), team.clone("early"), History.push

    def overtaken(history: History, sha: str, ref: str, expected: str) -> bool:
        monkeypatch.setattr(History, "push", push)
        tagged(early, two)
        return push(history, sha, ref, expected)

    monkeypatch.setattr(History, "push", overtaken)
    assert tagged(late, one) == Next("v0.1.1", "", new=False, own=False)
    late.fetch()
    assert late.sha("v0.1.1") == two


def test_a_version_that_another_branch_has_is_passed_over_by_the_same_kind_of_step(team: Team) -> None:
    start = team.push("feat: zero")
    tagged(team.history, start)
    made = team.history.commit(start, {"hot.txt": "x"}, "feat: hot")
    team.history.git("tag", "--annotate", "--message=x", "v0.2.0", made, env=identity())
    team.history.git("push", "--quiet", "origin", "v0.2.0")
    assert tagged(team.clone("other"), team.push("feat: one")).name == "v0.3.0"


def test_a_tag_whose_push_failed_is_pushed_by_the_same_command(team: Team) -> None:
    made, history = team.push("feat: a door"), team.clone("away")
    history.git("remote", "set-url", "--push", "origin", "http://127.0.0.1:9/gone.git")
    with pytest.raises(ForgeAway, match="git push"):
        tagged(history, made)
    history.git("remote", "set-url", "--push", "origin", str(team.bare))
    assert tagged(history, made).name == "v0.1.0"
    assert "refs/tags/v0.1.0" in history.git("ls-remote", "origin")


def test_what_users_do_not_see_makes_no_version(team: Team) -> None:
    tagged(team.history, team.push("feat: zero"))
    found = following(team.history, team.push("docs: a word"))
    assert (found.name, found.new) == ("v0.1.0", False)


def test_what_an_environment_runs_is_no_change_of_the_code(team: Team) -> None:
    tagged(team.history, team.push("feat: zero"))
    team.releases("staging", "v0.0.9", "v0.1.0")
    team.push("revert(staging): v0.1.0 was stopped", {path_of("staging"): release_text("v0.0.9")})
    assert following(team.history, team.push("docs: a word")).new is False
    both = {path_of("staging"): release_text("v0.1.0"), "app/main.py": "print()\n"}
    made = team.push("fix(staging): what stopped it", both)
    found = following(team.history, made)
    assert (found.name, found.changelog) == ("v0.1.1", f"Fixes:\n- staging: what stopped it ({made[:8]})")


def test_an_aborts_revert_and_a_rollback_make_no_version(team: Team) -> None:
    """As `sluice` itself writes them, with the titles that it gives."""
    tagged(team.history, team.push("feat: zero"))
    team.releases("staging", "v0.0.9", "v0.1.0")
    settle(team.history, None, Entry("staging", "v0.1.0", "verdict", verdict="aborted", reason="slow"))
    assert team.version_in("staging") == "v0.0.9"
    rollback(team.history, "staging", Found(release_text("v0.1.0"), "v0.1.0", True, "staging"), "by hand")
    assert team.version_in("staging") == "v0.1.0"
    assert following(team.history, team.push("docs: a word")).new is False


def test_a_tag_made_by_hand_is_the_way_past_an_unconventional_merge(team: Team) -> None:
    tagged(team.history, team.push("feat: zero"))
    bad = team.push("Update stuff")
    later = team.push("fix: one")
    with pytest.raises(Unconventional):
        following(team.history, later)
    team.history.git(
        "-c", "user.name=ada", "-c", "user.email=a@x", "tag", "--annotate", "--message=v0.1.1", "v0.1.1", bad
    )
    assert tagged(team.history, later).name == "v0.1.2"


def test_the_commit_that_a_forge_makes_of_a_template_is_not_judged(team: Team) -> None:
    team.seed({"README.md": "x"}, "Initial commit")
    team.history = team.clone("made")
    found = tagged(team.history, team.history.main)
    assert found == Next("", "", new=False, own=False)
    assert following(team.history, team.push("docs: our name")).name == ""
    made = tagged(team.history, team.push("feat: our model"))
    assert (made.name, made.changelog.count("\n")) == ("v0.1.0", 1)
    with pytest.raises(Unconventional):
        following(team.history, team.push("Initial commit"))


def test_an_unconventional_merge_changes_nothing(team: Team) -> None:
    made = team.push("Update stuff")
    with pytest.raises(Unconventional, match="Update stuff"):
        tagged(team.history, made)
    assert "refs/tags" not in team.history.git("ls-remote", "origin")
