"""Traces, logs and metrics of the same few requests to a running service."""

import base64
import json
from collections.abc import Iterator

import httpx
import pytest

from access.keys import create
from tests.collector import Collector, Span
from tests.live_service import LiveService
from tests.service_files import ServiceFiles
from tests.waiting import until

TRACE, CALLER = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
REQUEST = "request-of-the-test"
SUBJECT = "ada-of-the-test"
STAGES = ["ingress", "detector-mtcnn", "liveness-crmnet", "embedder-arcface"]


@pytest.fixture(scope="module")
def client(server: LiveService, service_files: ServiceFiles, traces: Collector, mindy: bytes) -> Iterator[httpx.Client]:
    """A client that has sent a few requests to the session's service, which is otherwise idle."""
    _, key = create(service_files.keys, "tested", ("read", "enrol", "admin"), ())
    with httpx.Client(base_url=server.address, timeout=60, headers={"Authorization": f"Bearer {key}"}) as client:

        def is_direct() -> bool:
            seen = len(traces.spans)
            client.get("/health")
            until(lambda: len(traces.spans) > seen)
            return not any(span.name.startswith("proxy_http_request") for span in traces.spans[seen:])

        # Until HAProxy knows the ingress's replicas, requests go through a proxy of Serve's with a span of its own.
        until(is_direct)
        given = {"traceparent": f"00-{TRACE}-{CALLER}-01", "X-Request-ID": REQUEST}
        pair = dict.fromkeys(["image1", "image2"], base64.b64encode(mindy).decode())
        assert client.post("/match", json=pair, headers=given).status_code == 200
        assert client.post("/v1/embed", files={"photo": mindy}).is_success
        assert client.put("/v1/collections/staff", json={}).status_code == 201
        assert client.post("/v1/collections/staff/faces", data={"subject": SUBJECT}, files={"photo": mindy}).is_success
        yield client
        client.delete("/v1/collections/staff", params={"with_faces": True}).raise_for_status()


def key_of(client: httpx.Client) -> str:
    return client.headers["Authorization"].removeprefix("Bearer ")


def test_match_is_one_trace_over_all_its_hops(client: httpx.Client, traces: Collector) -> None:
    def spans(prefix: str = "") -> list[Span]:
        return [span for span in traces.spans if span.trace == TRACE and span.name.startswith(prefix)]

    until(lambda: len(spans("replica_handle_request")) >= 3 and spans("POST /match"))
    assert sorted(span.name.split()[1] for span in spans("replica_handle_request")) == sorted(STAGES[1:])
    assert {span.parent for span in spans()} <= {span.id for span in spans()} | {CALLER}
    [request] = [span for span in spans() if span.parent == CALLER]
    assert request.name == "POST /match"
    assert "200" in request.attributes["http.response.status_code"]
    # Liveness and embedder ran concurrently, and each span still names its own.
    routed = {span.name.split()[1]: span.attributes["rpc.service"] for span in spans("route_to_replica")}
    assert routed.keys() == set(STAGES[1:])
    assert all(name in service for name, service in routed.items())
    [detector] = spans("replica_handle_request detector-mtcnn")
    assert {"facegraph.decode_ms", "facegraph.detect_ms", "facegraph.crop_ms"} <= detector.attributes.keys()


def test_no_span_identifies_a_person(client: httpx.Client, traces: Collector) -> None:
    until(lambda: traces.spans)
    for span in traces.spans:
        assert len(span.name) < 100
        for value in span.attributes.values():
            assert len(value) < 200
            assert SUBJECT not in value
            assert key_of(client) not in value


def test_log_lines_of_a_request_have_its_id_and_trace_in_every_process(
    client: httpx.Client, service_files: ServiceFiles
) -> None:
    texts = [file.read_text("utf-8") for file in service_files.logs.glob("replica_*.log")]
    lines = [json.loads(line) for text in texts for line in text.splitlines()]
    lines = [line for line in lines if line.get("request_id") == REQUEST]
    assert {line["deployment"].removeprefix("facegraph_") for line in lines} == set(STAGES)
    assert {line["trace_id"] for line in lines} == {TRACE}
    [access] = [line for line in lines if "http_route" in line]
    assert (access["http_method"], access["http_route"], access["http_status"]) == ("POST", "/match", 200)
    assert access["duration_ms"] > 0


def test_no_log_has_a_photo_an_embedding_or_a_key(
    client: httpx.Client, service_files: ServiceFiles, mindy: bytes
) -> None:
    embedding = client.post("/v1/embed", files={"photo": mindy}).json()["faces"][0]["embedding"]["values"]
    files = [file for file in service_files.folder.rglob("*") if file.is_file() and "gallery" not in file.parts]
    logs = [file for file in files if file.suffix in (".log", ".jsonl") or file.name == "log"]
    assert len(logs) > len(STAGES)
    encoded = base64.b64encode(mindy).decode()
    parts = [encoded[start : start + 40] for start in range(0, len(encoded) - 40, 4000)]
    secrets = [key_of(client).rpartition("_")[2], *parts, *(repr(each)[:10] for each in embedding if abs(each) > 0.01)]
    for file in logs:
        text = file.read_text("utf-8")
        assert [each for each in secrets if each in text] == []


def test_own_metrics_of_all_processes_are_exposed(client: httpx.Client) -> None:
    """What they count is tested in tests/telemetry."""
    counts = ("requests", "matches", "liveness_verdicts", "photos", "faces", "enrolments")
    names = [*(f"{name}_total" for name in counts), "stage_work_duration_seconds_bucket", "gallery_faces"]

    def exposed() -> bool:
        response = client.get("/metrics")
        assert response.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
        return all(f"\nray_facegraph_{name}{{" in response.text for name in names)

    until(exposed)
