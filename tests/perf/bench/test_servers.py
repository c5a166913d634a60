import os

import pytest

from perf.bench import client, servers
from perf.errors import NotStarted

CORES = [min(os.sched_getaffinity(0))]


async def test_all_ways_to_an_engine_answer_alike_and_end(monkeypatch: pytest.MonkeyPatch) -> None:
    with (
        servers.blank(CORES) as blank,
        servers.splice(CORES, blank.port) as splice,
        servers.gateway(CORES, blank.url) as gateway,
        servers.bare(CORES) as bare,
    ):
        started = [blank, splice, gateway, bare]
        found = [await client.sequential(one.port, client.body(stream=False), 1) for one in started]
        assert [one.status for answers in found for one in answers] == [200] * 4
        streams = [await client.streams(one.port, client.body(stream=True, frames=4), 1) for one in started[:3]]
        assert [one.frames for answers in streams for one in answers] == [6] * 3
        assert all(one.memory > 1e6 and one.cpu_seconds >= 0 for one in started)
        assert os.sched_getaffinity(gateway.pid) == set(CORES)
    for one in started:
        with pytest.raises(ProcessLookupError):
            os.kill(one.pid, 0)


def test_a_server_that_does_not_come_up_is_said(closed_port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("perf.engine.listening", lambda port, seconds=0: (_ for _ in ()).throw(NotStarted("no")))
    with pytest.raises(NotStarted), servers.started(CORES, closed_port, "perf.blank", str(closed_port)):
        pass
