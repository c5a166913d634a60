import json
import os
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from app.arms import Arms, place
from app.flags import TOGGLES, Flags, loaded
from app.person import Person
from app.settings import Settings
from tests.app.conftest import KEY, Door, Engine, opened

USERS = 10_000
TERSE = {"model": "tiny-terse", "parameters": {"temperature": 0.2}, "prompt": "terse"}


def shares(*parts: list[Any]) -> dict[str, Any]:
    return {"fractional": list(parts)}


def variant(targeting: Any, **variants: Any) -> dict[str, Any]:
    named = variants or {"control": {}, "a": {}, "b": {}}
    one = {"state": "ENABLED", "variants": named, "defaultVariant": next(iter(named)), "targeting": targeting}
    return {"flags": {"variant": one}}


def boolean(name: str, default: str, targeting: Any = None) -> dict[str, Any]:
    one = {"state": "ENABLED", "variants": {"on": True, "off": False}, "defaultVariant": default}
    return {name: one | ({"targeting": targeting} if targeting else {})}


def who(document: dict[str, Any]) -> list[str]:
    flags = Flags(document)
    return [flags.chosen(Person(f"user-{number}")).name for number in range(USERS)]


@pytest.mark.parametrize("percent", [1, 5, 30, 50])
def test_a_share_of_ten_thousand_users_is_within_three_standard_deviations(percent: int) -> None:
    found = who(variant(shares(["a", percent], ["control", 100 - percent]))).count("a")

    expected = USERS * percent / 100
    assert abs(found - expected) <= 3 * (expected * (1 - percent / 100)) ** 0.5


def test_when_a_share_grows_only_those_flip_who_must() -> None:
    before = who(variant(shares(["a", 10], ["control", 40], ["b", 10], ["control", 40])))
    after = who(variant(shares(["a", 25], ["control", 25], ["b", 10], ["control", 40])))

    moved = {(was, now) for was, now in zip(before, after, strict=True) if was != now}
    assert moved == {("control", "a")}


def test_the_buckets_are_those_of_flagd() -> None:
    """Computed apart, by flagd's specification: murmur3 of the CBOR of [flag, user], times the weights, over 2**32."""
    flags = Flags(variant(shares(["a", 25], ["control", 75])))
    assert murmur3(b"hello") == 0x248BFA47  # as published
    for number in range(100, 200):
        # an array of 2, a text of 7, a text of 3
        encoded = b"\x82\x67variant\x63%d" % number
        expected = "a" if murmur3(encoded) * 100 >> 32 < 25 else "control"
        assert flags.chosen(Person(str(number))).name == expected


def murmur3(data: bytes) -> int:
    """x86, 32 bits, seed 0."""
    full = 0xFFFFFFFF

    def mixed(word: int) -> int:
        word = word * 0xCC9E2D51 & full
        return ((word << 15 | word >> 17) & full) * 0x1B873593 & full

    state, whole = 0, len(data) // 4 * 4
    for at in range(0, whole, 4):
        state ^= mixed(int.from_bytes(data[at : at + 4], "little"))
        state = ((state << 13 | state >> 19) & full) * 5 + 0xE6546B64 & full
    if rest := data[whole:]:
        state ^= mixed(int.from_bytes(rest, "little"))
    state ^= len(data)
    state = (state ^ state >> 16) * 0x85EBCA6B & full
    state = (state ^ state >> 13) * 0xC2B2AE35 & full
    return state ^ state >> 16


@pytest.mark.parametrize(
    "rule",
    [
        {"==": [{"var": "region"}, "eu"]},
        {"in": [{"var": "device"}, ["phone", "watch"]]},
        {"==": [{"var": "profile.plan"}, "pro"]},
        {"==": [{"var": "key"}, "team-a"]},
        {"starts_with": [{"var": "targetingKey"}, "ad"]},
    ],
    ids=str,
)
def test_a_rule_aims_at_region_device_profile_key_or_user(rule: dict[str, Any]) -> None:
    flags = Flags(variant({"if": [rule, "a", "control"]}))

    assert flags.chosen(Person("ada", "team-a", "eu", "phone", {"plan": "pro"})).name == "a"
    assert flags.chosen(Person("bob", "team-b", "us", "desk", {"plan": "free"})).name == "control"


def test_a_rule_can_share_within_one_arm() -> None:
    flags = Flags(variant({"if": [{"==": [{"var": "arm"}, "canary"]}, "a", "control"]}))

    assert (flags.chosen(Person("ada"), "canary").name, flags.chosen(Person("ada"), "stable").name) == ("a", "control")


def test_a_switched_off_flag_and_a_rule_that_comes_to_nothing_leave_everybody_with_none() -> None:
    off = variant(shares(["a", 100]))
    off["flags"]["variant"]["state"] = "DISABLED"

    assert Flags(off).chosen(Person("ada")).name == "none"
    assert Flags(variant({"cat": ["no", "thing"]})).chosen(Person("ada")).name == "control"


def test_toggles_are_on_until_they_are_switched_off() -> None:
    flags = Flags({"flags": boolean("rescue", "off") | boolean("feedback", "on")})

    assert [name for name in TOGGLES if not flags.on(name)] == ["rescue"]


WRONG: dict[str, Any] = {
    "there is none of that name": {"flags": boolean("recsue", "off")},
    "neither true nor false": {
        "flags": {"rescue": {"state": "ENABLED", "variants": {"on": 1}, "defaultVariant": "on"}}
    },
    "not one of its variants": {"flags": boolean("rescue", "gone")},
    "holds for everybody": {"flags": boolean("rescue", "on", {"==": [1, 1]})},
    "no operator fractionl": variant({"fractionl": [["a", 1]]}),
    "no operator log": variant({"log": [{"var": "profile"}]}),
    "gives a share to c": variant(shares(["c", 1])),
    "Extra inputs": variant(None, a={"temprature": 1}),
    "less than or equal to 2": variant(None, a={"parameters": {"temperature": 7}}),
    "no prompt polite": variant(None, a={"prompt": "polite"}),
    "has no staff": variant({"if": [{"$ref": "staff"}, "a"]}),
    "at most 64 characters": variant(None, **{"a\n": {}}),
    "'state'": {"flags": {"rescue": {"state": "on", "variants": {"on": True}}}},
    "no object `flags`": {"flag": {}},
}


@pytest.mark.parametrize("why", WRONG)
def test_a_file_that_means_nothing_is_refused_in_one_line(tmp_path: Path, why: str) -> None:
    (tmp_path / "flags.json").write_text(json.dumps(WRONG[why]))

    with pytest.raises(ValueError, match=why) as refused:
        loaded(tmp_path / "flags.json")

    assert "\n" not in str(refused.value)


@pytest.fixture
def mounted(tmp_path: Path) -> Callable[[Any], Path]:
    """Writes the flags as the kubelet does: a new folder, and a link that is swapped in one step."""
    made = []

    def write(document: Any) -> Path:
        folder = tmp_path / f"..{len(made)}"
        made.append(folder)
        folder.mkdir()
        text = document if isinstance(document, str) else json.dumps(document)
        (folder / "flags.json").write_text(text)
        os.utime(folder / "flags.json", (1, 1))  # its time says nothing
        (tmp_path / "..tmp").symlink_to(folder)
        (tmp_path / "..tmp").rename(tmp_path / "..data")
        if len(made) == 1:
            (tmp_path / "flags.json").symlink_to("..data/flags.json")
        return tmp_path / "flags.json"

    return write


@pytest.fixture
def flagged(settings: Settings, tmp_path: Path, mounted: Callable[[Any], Path]) -> Settings:
    (tmp_path / "prompts.yaml").write_text('terse: {system: Be terse., template: "Q: {prompt} A:"}\n')
    rule = {"if": [{"==": [{"var": "region"}, "eu"]}, "terse", "control"]}
    document = variant(rule, control={}, terse=TERSE)
    document["flags"] |= boolean(
        "canary-first", "off", {"if": [{"==": [{"var": "profile.staff"}, "yes"]}, "on", "off"]}
    )
    return settings.model_copy(
        update={"flags_file": mounted(document), "prompts_file": tmp_path / "prompts.yaml", "version": "v7"}
    )


@pytest.fixture
async def door(flagged: Settings) -> AsyncIterator[Door]:
    async with opened(flagged) as found:
        yield found


async def test_a_variant_chooses_model_prompt_and_sampling_where_the_client_did_not(door: Door, engine: Engine) -> None:
    body = {"messages": [{"role": "user", "content": "hi"}]}
    _, headers, _ = await door.post("/v1/chat/completions", body, x_sluice_region="eu")
    await door.post("/v1/chat/completions", body | {"temperature": 1}, x_sluice_region="eu")
    _, other, _ = await door.post("/v1/chat/completions", body, x_sluice_region="us")

    assert (headers["x-sluice-variant"], other["x-sluice-variant"]) == ("terse", "control")
    assert engine.asked[0]["model"] == "tiny-terse"
    assert engine.asked[0]["messages"] == [
        {"role": "system", "content": "Be terse."},
        {"role": "user", "content": "Q: hi A:"},
    ]
    assert [one.get("temperature") for one in engine.asked] == [0.2, 1, None]
    assert engine.asked[2] == body


async def test_a_probe_judges_the_release_and_no_variant(door: Door, engine: Engine) -> None:
    _, headers, _ = await door.post("/predict", {"prompt": "hi"}, x_sluice_region="eu", x_sluice_probe=KEY)

    assert (headers["x-sluice-variant"], engine.asked[0]["prompt"]) == ("control", "hi")


async def test_a_cohort_is_on_the_canary_first_and_only_while_it_takes_users(
    door: Door, canary: Callable[[float], Arms]
) -> None:
    late = next(user for user in map(str, range(100)) if place(user, door.gateway.settings.salt) > 50)
    seen = []
    for weight in (0.0, 1.0, 25.0):
        door.gateway.board.show(canary(weight))
        for profile in ("staff=yes; plan=pro", "plan=pro"):
            said = {"x_sluice_user": late, "x_sluice_profile": profile}
            _, headers, _ = await door.post("/predict", {"prompt": "hi"}, **said)
            seen.append(headers["x-sluice-arm"])

    assert seen == ["stable", "stable", "canary", "stable", "canary", "stable"]


async def test_two_replicas_give_the_same_answer(door: Door, flagged: Settings, mounted: Any) -> None:
    mounted(variant(shares(["a", 50], ["control", 50])))
    door.gateway.flag_file.reload()
    async with opened(flagged.model_copy(update={"prompts_file": None})) as other:
        answers = []
        for one in (door, other):
            said = [await one.post("/predict", {"prompt": "hi"}, x_sluice_user=f"u{n}") for n in range(20)]
            answers.append([headers["x-sluice-variant"] for _, headers, _ in said])

    assert answers[0] == answers[1]
    assert set(answers[0]) == {"a", "control"}


async def test_a_toggle_switches_without_a_restart_and_a_broken_file_keeps_the_last_good_one(
    flagged: Settings, tmp_path: Path, mounted: Any
) -> None:
    async with opened(flagged.model_copy(update={"database_url": f"sqlite:///{tmp_path}/db"})) as door:
        await switched(door, mounted)


async def switched(door: Door, mounted: Any) -> None:
    file = door.gateway.flag_file
    seen = []
    for document in ({"flags": boolean("feedback", "off")}, '{"flags":', {"flags": {}}):
        mounted(document)
        file.reload()
        _, _, content = await door.post("/feedback", {"query_id": "a", "rating": 1})
        seen.append((json.loads(content)["error"]["code"], door.count("sluice_flags_file_broken")))

    assert seen == [("feedback_off", 0), ("feedback_off", 1), ("unknown_query", 0)]


@pytest.mark.parametrize(("switched", "status"), [("on", 200), ("off", 502)])
async def test_rescue_is_switched(
    door: Door, engine: Engine, serve: Any, mounted: Any, switched: str, status: int
) -> None:
    mounted({"flags": boolean("rescue", switched)})
    door.gateway.flag_file.reload()
    async with serve() as bad:
        bad.mode = "500"
        door.gateway.board.show(Arms("n/llm", "v2-r2", "v2", True, 100, (engine.url,), (bad.url,)))
        for _ in range(20):  # what stable is asked earns the budget
            await door.post("/predict", {"prompt": "a"}, x_sluice_probe=KEY)
        found, _, _ = await door.post("/predict", {"prompt": "a"}, x_sluice_user="ada")

    assert found == status


async def test_version_and_variant_are_on_every_response(door: Door, engine: Engine) -> None:
    post, get = door.session.post, door.session.get
    url = door.url
    engine.mode = "500"
    requests = [
        get(f"{url}/v1/models"),
        get(f"{url}/nowhere"),
        get(f"{url}/v1/chat/completions"),
        get(f"{url}/livez"),
        post(f"{url}/predict", data=b"{"),
        post(f"{url}/predict", json={"prompt": "a"}),
        post(f"{url}/predict", json={"prompt": "a"}, headers={"x-sluice-region": "x" * 65}),
        post(f"{url}/v1/completions", json={"prompt": "a" * 20_000}),
        post(f"{url}/v1/completions", json={"prompt": "a", "stream": True}),
        post(f"{url}/feedback", json={}),
        get(f"{url}/livez", headers={f"x-{n}": "a" for n in range(101)}),
    ]
    for request in requests:
        async with request as reply:
            said = (reply.status, reply.headers.get("x-sluice-version"), reply.headers.get("x-sluice-variant"))
            assert said[1] == "v7", said
            assert said[2] in ("none", "control"), said


async def test_a_fault_of_our_own_is_told_in_openai_s_shape_and_counted(door: Door, monkeypatch: Any) -> None:
    def broken(*_: Any) -> None:
        raise RuntimeError

    monkeypatch.setattr(type(door.gateway), "place", broken)
    status, headers, content = await door.post("/predict", {"prompt": "a"})

    assert (status, json.loads(content)["error"]["code"]) == (500, "internal_error")
    assert headers["x-sluice-variant"] == "none"
    assert door.count("http_requests_total", status="500") == 1
