import hashlib
import json

import pytest

from release.write import document
from tests.charts.conftest import HelmRefused

FLAGS = json.dumps(
    {"flags": {"polite": {"state": "ENABLED", "variants": {"on": True}, "defaultVariant": "on"}}}, indent=1
)
PROMPTS = 'polite: |\n  Answer in one sentence.\t"Never" guess: {{ question }}\n简: 请用一句话回答。\n'


def carried(text: str) -> dict[str, str]:
    return {"sha256": hashlib.sha256(text.encode()).hexdigest(), "content": text}


def maps(rendered):
    return {one["metadata"]["name"]: one for one in rendered.all("ConfigMap")}


def volumes(rendered):
    return rendered.one("Rollout", "llm-gateway")["spec"]["template"]["spec"]["volumes"]


def test_the_gateway_gets_the_files_of_its_release_to_the_byte(chart, release):
    rendered = chart.render(release=release | {"flags": carried(FLAGS), "prompts": carried(PROMPTS)})
    named = {one["name"]: one["configMap"]["name"] for one in volumes(rendered) if "configMap" in one}
    assert maps(rendered)[named["flags"]]["data"] == {"flags.json": FLAGS}
    assert maps(rendered)[named["prompts"]]["data"] == {"prompts.yaml": PROMPTS}
    [settings] = [one["data"] for name, one in maps(rendered).items() if name.startswith("llm-gateway-")]
    assert settings["SLUICE_FLAGS_FILE"] == "/etc/sluice/flags/flags.json"
    assert settings["SLUICE_PROMPTS_FILE"] == "/etc/sluice/prompts/prompts.yaml"


def test_another_content_is_another_map_and_the_old_one_stays(chart, release):
    before = maps(chart.render(release=release | {"flags": carried(FLAGS)}))
    after = maps(chart.render(release=release | {"flags": carried('{"flags": {}}')}))
    [old] = [name for name in before if name.startswith("llm-flags-")]
    assert old not in after
    assert before[old]["immutable"] is True
    assert before[old]["metadata"]["annotations"]["helm.sh/resource-policy"] == "keep"
    assert maps(chart.render(release=release | {"flags": carried(FLAGS)}))[old]["data"] == before[old]["data"]


def test_a_release_without_them_mounts_none(chart, release):
    rendered = chart.render(release=release)
    assert not [name for name in maps(rendered) if name.startswith(("llm-flags-", "llm-prompts-"))]
    assert not [one for one in volumes(rendered) if "configMap" in one]


@pytest.mark.parametrize("key", ["flags", "prompts"])
def test_a_content_that_is_not_the_hashed_one_is_refused(chart, release, key):
    with pytest.raises(HelmRefused, match=rf"release\.{key}\.sha256"):
        chart.render(release=release | {key: carried(FLAGS) | {"sha256": "0" * 64}})


def test_what_record_writes_is_what_the_chart_takes(chart, release, tmp_path):
    whole = release | {
        "adapter": {"legal": "e" * 64},
        "prompts": carried(PROMPTS),
        "flags": carried(FLAGS),
        "gates": "sha256:" + "d" * 64,
        "baseline": {"path": "quality/baseline.jsonl", "sha256": "f" * 64},
    }
    file = tmp_path / "release.yaml"
    file.write_text(document(whole))
    text = chart.run("template", "llm", "charts/llm", "--namespace", "demo", "-f", str(file))
    assert f'sluice.dev/gates: "sha256:{"d" * 64}"' in text


def test_the_engine_gets_a_bare_hash(chart, release):
    release["model"]["sha256"] = "sha256:" + "c" * 64
    engine = chart.render(release=release).one("Rollout", "llm-engine")["spec"]["template"]["spec"]["containers"][0]
    assert {one["name"]: one.get("value") for one in engine["env"]}["SLUICE_MODEL_SHA256"] == "c" * 64
