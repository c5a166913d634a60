"""`python -m lab up|down|status`: the lab's own switch."""

import argparse
import json
import sys

from lab import builder, cluster, existing, images, paths, tools
from lab.errors import LabError
from release.errors import ReleaseError


def say(line: str) -> None:
    print(line, flush=True)  # noqa: T201 - this is the command's output


def main() -> int:
    parser = argparse.ArgumentParser(prog="lab", description="A one-node Kubernetes on this machine.")
    parser.add_argument("action", choices=("tools", "bases", "up", "down", "status"))
    parser.add_argument("--bare", action="store_true", help="with up: a cluster and nothing in it")
    parser.add_argument("names", nargs="*", help="with tools: only these programs")
    arguments = parser.parse_args()
    action = arguments.action
    try:
        if action == "tools":
            tools.ensure(say, arguments.names)
        elif action == "bases":
            with builder.running() as client:
                images.bases(client, say)
        elif action == "up":
            existing.up(say) if paths.EXISTING else cluster.up(say, bare=arguments.bare)
        elif action == "down":
            (existing if paths.EXISTING else cluster).down(say)
        else:
            say(json.dumps((existing if paths.EXISTING else cluster).status(), indent=2))
    except (LabError, ReleaseError) as error:
        print(f"lab {action}: {error}", file=sys.stderr)  # noqa: T201
        return error.code
    return 0


if __name__ == "__main__":
    sys.exit(main())
