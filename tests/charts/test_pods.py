import json
import re
from pathlib import Path
from typing import Any

import pytest

from app.settings import Settings

ROOT = Path(__file__).resolve().parents[2]

ENVIRONMENTS = ["dev", "lab", "prod", "staging"]


def templates(rendered: Any) -> dict[str, Any]:
    owners = [*rendered.all("Rollout"), *rendered.all("Deployment")]
    return {owner["metadata"]["name"]: owner["spec"]["template"] for owner in owners}


def env(container: Any) -> dict[str, str]:
    return {entry["name"]: entry["value"] for entry in container["env"]}


def stop_seconds(container: Any) -> int:
    return int(container["lifecycle"]["preStop"]["sleep"]["seconds"])


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_engine_is_killed_only_after_it_could_finish(chart, name):
    spec = templates(chart.render(name))["llm-engine"]["spec"]
    engine = spec["containers"][0]
    assert spec["terminationGracePeriodSeconds"] > stop_seconds(engine) + int(env(engine)["SLUICE_SHUTDOWN_SECONDS"])


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_gateway_is_killed_only_after_it_could_drain(chart, name):
    rendered = chart.render(name)
    spec = templates(rendered)["llm-gateway"]["spec"]
    [settings] = rendered.all("ConfigMap")
    drain = int(settings["data"]["SLUICE_DRAIN_SECONDS"])
    assert spec["terminationGracePeriodSeconds"] > stop_seconds(spec["containers"][0]) + drain


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_startup_budget_ends_before_the_progress_deadline(chart, name):
    rollout = chart.render(name).one("Rollout", "llm-engine")["spec"]
    probe = rollout["template"]["spec"]["containers"][0]["startupProbe"]
    assert probe["failureThreshold"] * probe["periodSeconds"] < rollout["progressDeadlineSeconds"]
    assert rollout["progressDeadlineAbort"] is True


def test_blue_green_has_time_to_judge_before_the_progress_deadline(chart):
    def deadline(strategy: str) -> int:
        pace = {"undecided": 500, "steps": [{"weight": 0, "minimum": 70}, {"weight": 1, "minimum": 0}]}
        rendered = chart.render(strategy=strategy, rollouts=pace)
        return int(rendered.one("Rollout", "llm-engine")["spec"]["progressDeadlineSeconds"])

    # 570 for the probes' verdict, what the gateway's release before it may take (three starts, minimum, undecided), and
    # the watch after the switch
    assert deadline("blueGreen") == deadline("canary") + 570 + 3 * 300 + 120 + 900 + 60 + 300


def test_nobody_is_root_or_writes_outside_a_volume(chart):
    sidecar = {"name": "fault", "image": "lab@sha256:" + "e" * 64}
    for template in templates(chart.render(engine={"sidecars": [sidecar]})).values():
        spec = template["spec"]
        assert spec["securityContext"]["runAsNonRoot"] is True
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        for container in spec["containers"]:
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }


def test_engine_has_shared_memory_and_a_home_to_write_to(chart):
    spec = templates(chart.render())["llm-engine"]["spec"]
    volumes = {volume["name"]: volume["emptyDir"] for volume in spec["volumes"]}
    mounts = {mount["mountPath"]: volumes[mount["name"]] for mount in spec["containers"][0]["volumeMounts"]}
    assert mounts["/dev/shm"]["medium"] == "Memory"  # noqa: S108
    assert mounts[env(spec["containers"][0])["HOME"]] == {}


def test_engine_runs_what_its_image_says(chart):
    engine = templates(chart.render())["llm-engine"]["spec"]["containers"][0]
    assert "command" not in engine
    assert engine["startupProbe"]["exec"]["command"] == ["python3", "-m", "model.started"]


def test_gpus_are_asked_for_unless_there_are_none(chart):
    def limits(**gpu: Any) -> Any:
        spec = templates(chart.render(engine={"gpu": gpu, "resources": {"limits": {"cpu": "2"}}}))["llm-engine"]["spec"]
        return spec["containers"][0]["resources"]["limits"]

    assert limits() == {"nvidia.com/gpu": 1, "cpu": "2"}
    assert limits(count=4, resource="amd.com/gpu") == {"amd.com/gpu": 4, "cpu": "2"}
    assert limits(count=0) == {"cpu": "2"}


def test_traffic_goes_through_the_sidecar_and_metrics_do_not(chart):
    sidecar = {"name": "fault", "image": "lab@sha256:" + "e" * 64, "lifecycle": {"preStop": {"sleep": {"seconds": 9}}}}
    rendered = chart.render(engine={"trafficPort": 8001, "sidecars": [sidecar]})
    for arm in ("stable", "canary"):
        assert rendered.one("Service", f"llm-engine-{arm}")["spec"]["ports"][0]["targetPort"] == 8001
    assert rendered.all("ConfigMap")[0]["data"]["SLUICE_ENGINE_PORT"] == "8001"
    engine = templates(rendered)["llm-engine"]
    assert engine["metadata"]["annotations"]["prometheus.io/port"] == "8000"
    assert env(engine["spec"]["containers"][0])["SLUICE_ENGINE_PORT"] == "8000"
    assert stop_seconds(engine["spec"]["containers"][1]) == 9


def test_changed_settings_are_another_config_map(chart):
    def mounted(**settings: Any) -> tuple[str, dict[str, str]]:
        rendered = chart.render(gateway={"settings": settings})
        [settings_map] = rendered.all("ConfigMap")
        gateway = templates(rendered)["llm-gateway"]["spec"]["containers"][0]
        name = gateway["envFrom"][0]["configMapRef"]["name"]
        assert name == settings_map["metadata"]["name"]
        return name, settings_map["data"]

    before, _ = mounted()
    after, data = mounted(maxBodyBytes=2097152)
    assert before != after
    assert re.fullmatch(r"llm-gateway-[0-9a-f]{10}", after)
    assert data["SLUICE_MAX_BODY_BYTES"] == "2097152"


def test_rescue_is_on_and_can_be_switched_off(chart):
    def settings(**rescue: Any) -> tuple[str, str]:
        data = chart.render(gateway={"rescue": rescue} if rescue else {}).all("ConfigMap")[0]["data"]
        return data["SLUICE_RESCUE"], data["SLUICE_RESCUE_SHARE"]

    assert settings() == ("true", "0.1")
    assert settings(enabled=False, share=0.5) == ("false", "0.5")


def test_api_keys_are_mounted_from_a_secret_of_the_sites_own(chart):
    def mounted(**values: Any) -> tuple[bool, list[str]]:
        rendered = chart.render(gateway=values)
        spec = templates(rendered)["llm-gateway"]["spec"]
        named = [volume["secret"]["secretName"] for volume in spec["volumes"] if volume["name"] == "keys"]
        return "SLUICE_KEYS_FILE" in rendered.all("ConfigMap")[0]["data"], named

    assert mounted() == (False, [])
    assert mounted(keys={"existingSecret": "team-keys"}) == (True, ["team-keys"])


def test_patterns_of_a_site_are_mounted_for_redaction(chart):
    rendered = chart.render(gateway={"redact": {"existingConfigMap": "ours"}})
    spec = templates(rendered)["llm-gateway"]["spec"]
    [mount] = [one for one in spec["containers"][0]["volumeMounts"] if one["name"] == "redact"]
    file = rendered.all("ConfigMap")[0]["data"]["SLUICE_REDACT_FILE"]
    assert file == f"{mount['mountPath']}/patterns"
    assert {"name": "redact", "configMap": {"name": "ours"}} in spec["volumes"]


def test_the_engine_is_told_how_to_warm_up(chart):
    rendered = chart.render(engine={"warmUp": {"requests": 5, "tokens": 32}})
    [engine] = [one for one in templates(rendered)["llm-engine"]["spec"]["containers"] if one["name"] == "engine"]
    told = {one["name"]: one.get("value") for one in engine["env"]}
    assert (told["SLUICE_WARM_UP_REQUESTS"], told["SLUICE_WARM_UP_TOKENS"]) == ("5", "32")


def test_the_list_of_words_is_mounted_from_a_config_map_of_the_sites_own(chart):
    def mounted(**values: Any) -> tuple[list[str], str | None]:
        rendered = chart.render(gateway=values)
        spec = templates(rendered)["llm-gateway"]["spec"]
        data = rendered.all("ConfigMap")[0]["data"]
        named = [volume["configMap"]["name"] for volume in spec["volumes"] if volume["name"] == "words"]
        places = [one["mountPath"] for one in spec["containers"][0]["volumeMounts"] if one["name"] == "words"]
        assert data.get("SLUICE_WORDS_FILE") == ("/etc/sluice/words/words.txt" if named else None)
        return named + places, data.get("SLUICE_BLOCK_WORDS")

    assert mounted() == ([], None)
    assert mounted(words={"existingConfigMap": "w"}) == (["w", "/etc/sluice/words"], "false")
    assert mounted(words={"existingConfigMap": "w", "block": True})[1] == "true"


def test_the_store_of_limits_is_named_by_a_secret(chart):
    def named(**values: Any) -> Any:
        return templates(chart.render(gateway=values))["llm-gateway"]["spec"]["containers"][0].get("env")

    rendered = chart.render(gateway={"limits": {"existingSecret": "store"}})
    egress = rendered.one("NetworkPolicy", "llm-gateway")["spec"]["egress"]
    assert {"ports": [{"protocol": "TCP", "port": 6379}]} in egress
    reference = {"secretKeyRef": {"name": "store", "key": "url"}}
    assert named() is None
    assert named(limits={"existingSecret": "store"}) == [{"name": "SLUICE_LIMITS_URL", "valueFrom": reference}]


def test_every_setting_in_the_values_is_one_of_the_gateways(chart):
    schema = json.loads((ROOT / "charts/llm/values.schema.json").read_text())
    known = schema["properties"]["gateway"]["properties"]["settings"]["properties"]
    snake = {re.sub("([A-Z])", lambda big: "_" + big[1].lower(), name) for name in known}
    assert snake <= set(Settings.model_fields)


def test_prober_and_gateway_share_the_probe_key(chart):
    def secrets(rendered: Any) -> set[str]:
        pods = [templates(rendered)[name]["spec"] for name in ("llm-gateway", "llm-prober")]
        return {volume["secret"]["secretName"] for pod in pods for volume in pod["volumes"] if "secret" in volume}

    assert secrets(chart.render()) == {"llm-probe"}
    theirs = chart.render(prober={"existingSecret": "vault-key"})
    assert secrets(theirs) == {"vault-key"}
    assert theirs.all("Secret") == []


def test_gateway_is_reached_on_a_node_port_by_choice(chart):
    assert chart.render().one("Service", "llm-gateway")["spec"]["type"] == "ClusterIP"
    spec = chart.render(gateway={"nodePort": 30123}).one("Service", "llm-gateway")["spec"]
    assert (spec["type"], spec["ports"][0]["nodePort"]) == ("NodePort", 30123)


def test_selectors_find_their_pods(chart):
    rendered = chart.render()
    labels = {name.removeprefix("llm-"): t["metadata"]["labels"] for name, t in templates(rendered).items()}
    for owner in [*rendered.all("Rollout"), *rendered.all("Deployment"), *rendered.all("PodDisruptionBudget")]:
        wanted = owner["spec"]["selector"]["matchLabels"]
        assert wanted.items() <= labels[owner["metadata"]["name"].removeprefix("llm-")].items()
    for service in rendered.all("Service"):
        component = service["metadata"]["name"].split("-")[1]
        assert service["spec"]["selector"].items() <= labels[component].items()


@pytest.mark.parametrize(
    ("name", "given", "told"),
    [("slowLeastSeconds", 0.5, "0.5"), ("slowLeastSeconds", 2, "2"), ("maxBodyBytes", 5_000_000, "5000000")],
)
def test_a_number_reaches_the_gateway_as_it_was_written(chart, name, given, told):
    [settings_map] = chart.render(gateway={"settings": {name: given}}).all("ConfigMap")
    assert told in settings_map["data"].values()


@pytest.mark.parametrize(("values", "told"), [({}, "512"), ({"maxInflightPerEngine": 40}, "40")])
def test_the_gateway_knows_what_an_engine_bears(chart, values, told):
    assert chart.render(gateway=values).all("ConfigMap")[0]["data"]["SLUICE_MAX_INFLIGHT_PER_ENGINE"] == told


def test_gateway_and_engine_bound_an_answer_by_the_same_number(chart):
    rendered = chart.render(gateway={"maxTokens": 300})
    [engine] = rendered.one("Rollout", "llm-engine")["spec"]["template"]["spec"]["containers"]
    told = {one["name"]: one.get("value") for one in engine["env"]}
    assert told["SLUICE_MAX_TOKENS"] == rendered.all("ConfigMap")[0]["data"]["SLUICE_MAX_TOKENS"] == "300"
