"""Merging the metrics of several nodes, and sharing an answer for a second."""

import asyncio
from collections.abc import Callable
from typing import Any

import httpx
import pytest
import ray
from prometheus_client.parser import text_string_to_metric_families

from telemetry import brief_cache, exposition
from telemetry.brief_cache import BriefCache
from tests.fakes import serve_log


def family(name: str, kind: str, *samples: str) -> str:
    """The text of one family."""
    return "".join([f"# HELP {name} Text.\n# TYPE {name} {kind}\n", *(f"{name}{sample}\n" for sample in samples)])


BUCKETS = ('_bucket{le="+Inf"} 2.0', "_count 2.0", "_sum 2.0")
FIRST = (
    family("ray_facegraph_requests_total", "counter", '{route="/match",replica="a"} 3.0')
    + family("ray_node_mem_used", "gauge", " 5.0")
    + family("ray_serve_replica_processing_queries", "gauge", '{deployment="ingress"} 1.0')
    + family("ray_serve_long_poll_latency_ms", "histogram", *BUCKETS)
    + family("ray_facegraph_stage_batch_size", "histogram", *BUCKETS)
)
SECOND = family("ray_facegraph_requests_total", "counter", '{route="/match",replica="b"} 4.0')


async def samples(monkeypatch: pytest.MonkeyPatch, second: Callable[[], httpx.Response]) -> dict[str, list[float]]:
    """The samples of each family in a cluster of two living nodes and a dead one; `second` answers for one node."""
    nodes = [
        {"NodeID": name, "Alive": alive, "NodeManagerAddress": address, "MetricsExportPort": 8080}
        for name, alive, address in [("n1", True, "10.0.0.1"), ("n2", True, "10.0.0.2"), ("n3", False, "10.0.0.3")]
    ]
    client = httpx.AsyncClient

    def answer(request: httpx.Request) -> httpx.Response:
        return {"10.0.0.1": lambda: httpx.Response(200, text=FIRST), "10.0.0.2": second}[request.url.host]()

    def through(**options: Any) -> httpx.AsyncClient:
        return client(**options, transport=httpx.MockTransport(answer))

    monkeypatch.setattr(ray, "nodes", lambda: nodes)
    monkeypatch.setattr(httpx, "AsyncClient", through)
    text = await exposition.exposition()
    assert text.endswith("\n")
    families = list(text_string_to_metric_families(text))
    assert len({family.name for family in families}) == len(families)
    return {family.name: [sample.value for sample in family.samples] for family in families}


async def test_own_and_serves_metrics_of_all_nodes_are_merged(monkeypatch: pytest.MonkeyPatch) -> None:
    assert await samples(monkeypatch, lambda: httpx.Response(200, text=SECOND)) == {
        "facegraph_metrics_agent_up": [1.0, 1.0],
        "ray_facegraph_requests": [3.0, 4.0],
        "ray_serve_replica_processing_queries": [1.0],
        "ray_facegraph_stage_batch_size": [2.0, 2.0, 2.0],
    }


@pytest.mark.parametrize("fault", [None, httpx.ConnectError("refused"), TimeoutError()])
async def test_agent_that_does_not_answer_is_reported(monkeypatch: pytest.MonkeyPatch, fault: Exception | None) -> None:
    def second() -> httpx.Response:
        if fault:
            raise fault
        return httpx.Response(503)

    with serve_log() as log:
        found = await samples(monkeypatch, second)
    assert found["facegraph_metrics_agent_up"] == [1.0, 0.0]
    assert found["ray_facegraph_requests"] == [3.0]
    [record] = log
    assert "10.0.0.2" in record.getMessage()


class Source:
    """Answers with the number of times it was asked; fails the first `faults` times."""

    def __init__(self, faults: int = 0) -> None:
        self.count, self._faults = 0, faults

    async def __call__(self) -> int:
        await asyncio.sleep(0)
        self.count += 1
        if self.count <= self._faults:
            raise ConnectionError
        return self.count


@pytest.mark.parametrize(("age", "faults", "answers"), [(60, 0, [1, 1, 1]), (-1, 0, [1, 2, 3]), (60, 1, [None, 2, 2])])
async def test_answer_is_shared_until_it_is_too_old_and_errors_are_not(
    age: float, faults: int, answers: list[int | None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(brief_cache, "MAX_AGE_S", age)
    cache = BriefCache(Source(faults))
    found = await asyncio.gather(*(cache() for _ in answers), return_exceptions=True)
    assert [None if isinstance(each, ConnectionError) else each for each in found] == answers
