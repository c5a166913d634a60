import gzip
import json
from base64 import b64decode, b64encode
from typing import Any

import pytest

from release import remnant
from release.cluster import Cluster
from release.errors import Refused, Unreachable

PATH = "/api/v1/namespaces/demo/secrets/sh.helm.release.v1.llm.v4"
RECORD = {"name": "llm", "version": 4, "info": {"status": "pending-upgrade", "notes": "n"}, "manifest": "kind: Rollout"}


def kept(record: dict[str, Any]) -> str:
    """As Helm keeps it: zipped, in base64, which Kubernetes puts in base64 once more."""
    return b64encode(b64encode(gzip.compress(json.dumps(record).encode()))).decode()


def test_a_killed_revision_becomes_a_failed_one_and_nothing_else_in_it_changes(api: Any, cluster: Cluster) -> None:
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "x"}, "data": {"release": kept(RECORD)}}
    api.on("GET", PATH, secret)
    api.on("PATCH", PATH, secret)
    remnant.settle(cluster, 4)
    [patch] = [one["body"] for one in api.heard("PATCH")]
    assert patch["metadata"] == {"labels": {"status": "failed"}}
    told = json.loads(gzip.decompress(b64decode(b64decode(patch["data"]["release"]))))
    assert told["info"] == {"status": "failed", "notes": "n", "description": remnant.STORY}
    assert {key: value for key, value in told.items() if key != "info"} == {
        key: value for key, value in RECORD.items() if key != "info"
    }


def test_a_record_that_is_empty_or_gone_is_named(api: Any, cluster: Cluster) -> None:
    with pytest.raises(Unreachable):
        remnant.settle(cluster, 5)
    api.on("GET", PATH, {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "x"}, "data": {}})
    with pytest.raises(Refused, match="helm history llm"):
        remnant.settle(cluster, 4)
    assert api.paths("PATCH") == []
