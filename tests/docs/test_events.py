"""Which workflow starts for which event, by GitHub's rules for `on:`; act starts what it is told to."""

import re
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

ROOT = Path(__file__).parents[2]
FILES = sorted((ROOT / ".github/workflows").glob("*.yml"))
EVENTS: dict[str, dict[str, Any]] = {
    file.stem: {key: told or {} for key, told in YAML(typ="safe").load(file.read_text())["on"].items()}
    for file in FILES
}
GLOB = {"**": ".*", "*": "[^/]*", "?": "?", "+": "+"}  # `?` and `+` repeat the character before them
CODE, RELEASE, VALUES = "app/main.py", "environments/prod/release.yaml", "environments/staging/values.yaml"


def regex(pattern: str) -> str:
    parts = re.findall(r"\*\*|[*?+]|\[[^\]]+\]|.", pattern)
    return "".join(GLOB.get(part, part if part[0] == "[" and len(part) > 1 else re.escape(part)) for part in parts)


def chosen(name: str, patterns: list[str]) -> bool:
    """The last pattern that fits decides, and one with `!` takes out again."""
    fits = [one for one in patterns if re.fullmatch(regex(one.removeprefix("!")), name)]
    return bool(fits) and not fits[-1].startswith("!")


def touched(told: dict[str, Any], paths: list[str]) -> bool:
    """At least one changed path that is asked for, or that is not passed over."""
    if "paths" in told:
        return any(chosen(path, told["paths"]) for path in paths)
    return not all(chosen(path, told.get("paths-ignore", [])) for path in paths)


def pushed(told: dict[str, Any], ref: str, paths: list[str]) -> bool:
    """Filters of branches alone leave out every tag, and the other way round; a tag's paths are not looked at."""
    kind, name = ref.removeprefix("refs/").split("/", 1)
    mine, other = ("branches", "tags") if kind == "heads" else ("tags", "branches")
    named = chosen(name, told[mine]) if mine in told else other not in told
    return named and (kind == "tags" or touched(told, paths))


def started(ref: str, *paths: str, events: dict[str, dict[str, Any]] = EVENTS) -> set[str]:
    """The workflows that start: for a pull request to a branch, or for a push to a ref."""
    found = set()
    for name, on in events.items():
        if ref.startswith("pull "):
            base = ref.removeprefix("pull ")
            told = on.get("pull_request")
            if told is not None and chosen(base, told.get("branches", ["**"])) and touched(told, list(paths)):
                found.add(name)
        elif "push" in on and pushed(on["push"], ref, list(paths)):
            found.add(name)
    return found


EXPECTED: list[tuple[str, list[str], set[str]]] = [
    ("pull main", [CODE], {"ci", "e2e"}),
    ("pull main", ["README.md"], {"ci"}),
    ("pull main", ["environments/lab/values.yaml"], {"ci", "e2e"}),
    ("pull main", [RELEASE], {"ci"}),  # a promotion
    ("refs/heads/main", [CODE], {"ci", "release"}),
    ("refs/heads/main", ["README.md"], {"ci", "release"}),
    ("refs/heads/main", [RELEASE], {"ci", "promote"}),  # no version of its own: that would never end
    ("refs/heads/main", [VALUES], {"ci", "promote"}),
    ("refs/heads/main", [CODE, RELEASE], {"ci", "release", "promote"}),
    ("refs/heads/main", ["environments/prod/prompts.yaml"], {"ci"}),  # goes out with the next release that is recorded
    ("refs/heads/main", ["environments/prod/eu/release.yaml"], {"ci"}),
    ("refs/heads/feat/word", [CODE], set()),
    ("refs/heads/deploy/prod/v1.2.0", [CODE], set()),
    ("refs/tags/v1.2.0", [CODE], set()),  # release made it, and goes on by itself
    ("refs/tags/deploy/prod/v1.2.0", [CODE], {"rollback"}),
    ("refs/tags/deploy/prod/v1.2.0", [], {"rollback"}),
    ("refs/tags/deploy/prod/1.2.0", [CODE], set()),
    ("refs/tags/deploy/prod/eu/v1.2.0", [CODE], set()),
    ("refs/tags/deploy/v1.2.0", [CODE], set()),
]


@pytest.mark.parametrize(("ref", "paths", "names"), EXPECTED)
def test_an_event_starts_what_it_should_and_nothing_else(ref: str, paths: list[str], names: set[str]) -> None:
    assert started(ref, *paths) == names


PLANTED: list[tuple[str, dict[str, Any]]] = [
    ("ci", {"pull_request": {"branches": ["release/**"]}}),
    ("ci", {"push": {}}),
    ("ci", {"push": {"branches": ["main"], "paths-ignore": ["**"]}}),
    ("e2e", {"pull_request": {"paths": ["app/*.md", "charts/**"]}}),
    ("e2e", {"pull_request": {"paths": ["app/**", "!app/main.py", "environments/lab/**"]}}),
    ("release", {"push": {"branches": ["main"]}}),
    ("release", {"push": {"branches": ["main"], "paths-ignore": ["environments/*"]}}),
    ("release", {"push": {"branches": ["main", "feat/*"], "paths-ignore": ["environments/**"]}}),
    ("release", {"push": {"branches": ["main"], "tags": ["v*"], "paths-ignore": ["environments/**"]}}),
    ("promote", {"push": {"branches": ["main"], "paths": ["environments/*.yaml"]}}),
    (
        "promote",
        {"push": {"branches": ["main"], "paths": ["environments/**/release.yaml", "environments/*/values.yaml"]}},
    ),
    ("rollback", {"push": {"tags": ["deploy/v*"]}}),
    ("rollback", {"push": {"tags": ["deploy/**"]}}),
    ("rollback", {"push": {"tags": ["deploy/*/*"]}}),
    ("rollback", {"push": {"tags": ["deploy/*/v*"], "branches": ["**"]}}),
]


@pytest.mark.parametrize(("name", "on"), PLANTED)
def test_a_filter_that_lets_through_more_or_less_is_seen(name: str, on: dict[str, Any]) -> None:
    events = EVENTS | {name: {**EVENTS[name], **on}}
    assert any(started(ref, *paths, events=events) != names for ref, paths, names in EXPECTED)


@pytest.mark.parametrize(
    ("pattern", "fits", "fits_not"),
    [  # as its documentation of filter patterns has them
        ("feature/*", ["feature/my-branch", "feature/your-branch"], ["feature/beta-a/my-branch"]),
        ("feature/**", ["feature/beta-a/my-branch", "feature/mona/the/octocat"], ["features"]),
        ("main", ["main"], ["main2", "releases/main"]),
        ("*", ["main", "releases"], ["all/the/branches"]),
        ("**", ["all/the/branches", "every/tag"], []),
        ("*feature", ["mona-feature", "feature", "ver-10-feature"], ["feature-1"]),
        ("v2*", ["v2", "v2.0", "v2.9"], ["v1"]),
        ("v[12].[0-9]+.[0-9]+", ["v1.10.1", "v2.0.0"], ["v3.0.0", "v1.x.0"]),
        ("*.jsx?", ["page.js", "page.jsx"], ["page.jsxx"]),
        ("**.js", ["index.js", "js/index.js", "src/js/app.js"], ["index.jsx"]),
        ("docs/*", ["docs/README.md"], ["docs/mona/octocat.txt"]),
    ],
)
def test_patterns_mean_what_the_forge_documents(pattern: str, fits: list[str], fits_not: list[str]) -> None:
    assert [name for name in fits + fits_not if chosen(name, [pattern])] == fits


def test_what_a_person_or_the_clock_starts_is_no_push() -> None:
    assert set(EVENTS["verdict"]) == {"workflow_dispatch"}
    assert set(EVENTS["nightly"]) == {"schedule", "workflow_dispatch"}
    assert chosen("b", ["*", "!b"]) is False
    assert chosen("b", ["!b", "*"]) is True
