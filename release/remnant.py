"""What a killed Helm leaves behind: a revision that is pending for ever, which no later Helm goes past."""

import gzip
import json
from base64 import b64decode, b64encode

from lightkube.resources.core_v1 import Secret
from lightkube.types import PatchType

from release.cluster import Cluster, answers
from release.errors import Refused

STORY = "killed in the middle; continued by the same command"


def settle(cluster: Cluster, revision: int) -> None:
    """Let Helm's own record say that this revision failed, as Helm does when it lives to see it.

    From there an upgrade goes on: it compares with what was deployed before, and applies everything.

    Raises:
        Refused: the record is not where Helm keeps it.
    """
    name = f"sh.helm.release.v1.{cluster.instance}.v{revision}"
    with answers():
        found = cluster.client.get(Secret, name, namespace=cluster.namespace)
        record = (found.data or {}).get("release")
        if not record:
            raise Refused(f"{name}: holds no release; look at `helm history {cluster.instance}`")
        patch = {"metadata": {"labels": {"status": "failed"}}, "data": {"release": failed(record)}}
        cluster.client.patch(Secret, name, patch, namespace=cluster.namespace, patch_type=PatchType.MERGE)


def failed(record: str) -> str:
    """The same record with another status: JSON, zipped, in base64 by Helm and once more by Kubernetes."""
    told = json.loads(gzip.decompress(b64decode(b64decode(record))))
    told["info"] |= {"status": "failed", "description": STORY}
    zipped = gzip.compress(json.dumps(told).encode(), mtime=0)
    return b64encode(b64encode(zipped)).decode()
