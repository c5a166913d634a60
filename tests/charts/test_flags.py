import json

import pytest

from tests.charts.conftest import HelmRefused

ON = {"flags": {"rescue": {"state": "ENABLED", "variants": {"on": True, "off": False}, "defaultVariant": "on"}}}
OFF = {"flags": {"rescue": ON["flags"]["rescue"] | {"defaultVariant": "off"}}}


def pod(rendered):
    return rendered.one("Rollout", "llm-gateway")["spec"]["template"]["spec"]


def mounted(rendered):
    return [one["configMap"]["name"] for one in pod(rendered)["volumes"] if one["name"] == "flags"]


def test_flags_that_change_start_no_pod_anew(chart):
    before, after = (chart.render(gateway={"flags": {"content": content}}) for content in (ON, OFF))

    assert pod(before) == pod(after)
    assert mounted(before) == ["llm-flags"]
    maps = [json.loads(one.one("ConfigMap", "llm-flags")["data"]["flags.json"]) for one in (before, after)]
    assert maps == [ON, OFF]
    assert "immutable" not in before.one("ConfigMap", "llm-flags")


def test_the_gateway_reads_them_where_they_are_mounted(chart):
    rendered = chart.render(gateway={"flags": {"existingConfigMap": "our-flags"}})

    assert mounted(rendered) == ["our-flags"]
    [mount] = [one for one in pod(rendered)["containers"][0]["volumeMounts"] if one["name"] == "flags"]
    assert "subPath" not in mount  # it would never change
    assert f"SLUICE_FLAGS_FILE: {mount['mountPath']}/flags.json" in rendered.text


def test_without_flags_none_are_mounted(chart):
    rendered = chart.render()

    assert mounted(rendered) == []
    assert "SLUICE_FLAGS_FILE" not in rendered.text


def test_flags_are_kept_in_one_place(chart, release):
    with pytest.raises(HelmRefused, match="not both"):
        chart.render(gateway={"flags": {"content": ON, "existingConfigMap": "our-flags"}})
    carried = {"sha256": "0" * 64, "content": "{}"}
    with pytest.raises(HelmRefused, match="in one place"):
        chart.render(release=release | {"flags": carried}, gateway={"flags": {"content": ON}})
