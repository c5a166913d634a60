from pathlib import Path

import httpx2
import pytest
from ruamel.yaml import YAML

from lab import process, programs
from lab.charts import Charts


@pytest.fixture(autouse=True)
def helm() -> None:
    if not Path(programs.binary("helm")).exists():
        pytest.fail("no helm: `make test` builds it", pytrace=False)


def test_a_chart_is_had_by_name_and_version_and_keeps_its_values(tmp_path: Path, unused_tcp_port: int) -> None:
    with Charts(tmp_path / "charts", unused_tcp_port, {"one": "1.2.3", "two": "0.1.0"}) as charts:
        listed = YAML(typ="safe").load(httpx2.get(f"{charts.address}/index.yaml").text)["entries"]
        assert {name: [one["version"] for one in found] for name, found in listed.items()} == {
            "one": ["1.2.3"],
            "two": ["0.1.0"],
        }
        archive = tmp_path / "one.tgz"
        archive.write_bytes(httpx2.get(f"{charts.address}/one-1.2.3.tgz").content)
    rendered = process.run(programs.binary("helm"), "template", "mine", archive, "--set", "deep.value=4")
    made = YAML(typ="safe").load(rendered)
    assert made["metadata"]["name"] == "mine"
    assert made["data"]["values"] == '{"deep":{"value":4}}'
