"""The metrics of several nodes, joined into one text."""

import asyncio
from collections.abc import Callable
from typing import Any

import httpx
import pytest
import ray
from prometheus_client.parser import text_string_to_metric_families

from telemetry import exposition
from tests.fakes import serve_log

FIRST = """# HELP ray_facegraph_requests_total Requests.
# TYPE ray_facegraph_requests_total counter
ray_facegraph_requests_total{route="/match",replica="a"} 3.0
# HELP ray_node_mem_used Memory.
# TYPE ray_node_mem_used gauge
ray_node_mem_used 5.0
# HELP ray_serve_replica_processing_queries Ongoing.
# TYPE ray_serve_replica_processing_queries gauge
ray_serve_replica_processing_queries{deployment="ingress"} 1.0
# HELP ray_serve_long_poll_latency_ms Latency.
# TYPE ray_serve_long_poll_latency_ms histogram
ray_serve_long_poll_latency_ms_bucket{le="+Inf"} 1.0
ray_serve_long_poll_latency_ms_count 1.0
ray_serve_long_poll_latency_ms_sum 1.0
# HELP ray_facegraph_stage_batch_size Faces.
# TYPE ray_facegraph_stage_batch_size histogram
ray_facegraph_stage_batch_size_bucket{le="+Inf"} 2.0
ray_facegraph_stage_batch_size_count 2.0
ray_facegraph_stage_batch_size_sum 2.0
"""
SECOND = """# HELP ray_facegraph_requests_total Requests.
# TYPE ray_facegraph_requests_total counter
ray_facegraph_requests_total{route="/match",replica="b"} 4.0
"""


def samples(text: str) -> dict[str, list[float]]:
    """The values of each family; raises `ValueError` if Prometheus could not read the text."""
    families = list(text_string_to_metric_families(text))
    assert len({family.name for family in families}) == len(families)
    return {family.name: [sample.value for sample in family.samples] for family in families}


def told(monkeypatch: pytest.MonkeyPatch, answer: Callable[[httpx.Request], httpx.Response]) -> str:
    """The exposition of a cluster with two living nodes and a dead one, whose agents `answer`."""
    nodes = [
        {"NodeID": name, "Alive": alive, "NodeManagerAddress": address, "MetricsExportPort": 8080}
        for name, alive, address in [("n1", True, "10.0.0.1"), ("n2", True, "10.0.0.2"), ("n3", False, "10.0.0.3")]
    ]
    client = httpx.AsyncClient

    def through(**options: Any) -> httpx.AsyncClient:
        return client(**options, transport=httpx.MockTransport(answer))

    monkeypatch.setattr(ray, "nodes", lambda: nodes)
    monkeypatch.setattr(httpx, "AsyncClient", through)
    return asyncio.run(exposition.exposition())


def test_the_metrics_of_all_nodes_are_one_text_of_this_product_and_serve(monkeypatch: pytest.MonkeyPatch) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, text={"10.0.0.1": FIRST, "10.0.0.2": SECOND}[request.url.host])

    text = told(monkeypatch, answer)
    assert samples(text) == {
        "facegraph_metrics_agent_up": [1.0, 1.0],
        "ray_facegraph_requests": [3.0, 4.0],
        "ray_serve_replica_processing_queries": [1.0],
        "ray_facegraph_stage_batch_size": [2.0, 2.0, 2.0],
    }
    assert text.endswith("\n")


@pytest.mark.parametrize("fault", [httpx.ConnectError("refused"), httpx.ReadTimeout("slow"), 500])
def test_an_agent_that_does_not_answer_is_told_of(monkeypatch: pytest.MonkeyPatch, fault: Any) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.host == "10.0.0.1":
            return httpx.Response(200, text=FIRST)
        if isinstance(fault, int):
            return httpx.Response(fault)
        raise fault

    with serve_log() as log:
        text = told(monkeypatch, answer)
    assert 'facegraph_metrics_agent_up{node="n1"} 1' in text
    assert 'facegraph_metrics_agent_up{node="n2"} 0' in text
    assert samples(text)["ray_facegraph_requests"] == [3.0]
    [record] = log
    assert "10.0.0.2" in record.getMessage()
