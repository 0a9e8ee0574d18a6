"""Traces, logs and metrics of the same few requests to a running service."""

import base64
import json
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import quote

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from access.keys import create
from tests.collector import Collector, Span
from tests.live_service import LiveService
from tests.service_files import ServiceFiles
from tests.waiting import until

TRACE, CALLER = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
REQUEST = "request-of-the-test"
SUBJECT = "ada-of-the-test"
STAGES = ["ingress", "detector-mtcnn", "liveness-crmnet", "embedder-arcface"]

REPORT_S = 4
"""Longer than metrics take to reach the agents."""

Metrics = Counter[tuple[str, ...]]
"""Values of the service's own metrics, by family and labels."""


@dataclass
class Sent:
    """What was sent, what received it, and the metrics before."""

    collector: Collector
    files: ServiceFiles
    key: str
    photo: bytes
    embedding: list[float]
    client: httpx.Client
    before: Metrics


def own_metrics(client: httpx.Client) -> Metrics:
    """The metrics now, without those of requests for metrics."""
    response = client.get("/metrics")
    assert response.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    names = ("route", "code", "stage", "role", "outcome", "verdict", "model")
    metrics = Metrics()
    for family in text_string_to_metric_families(response.text):
        name = family.name.removeprefix("ray_facegraph_")
        for sample in family.samples if name != family.name else ():
            if not sample.name.endswith(("_bucket", "_sum", "_created")) and sample.labels.get("route") != "/metrics":
                metrics[name, *(sample.labels[label] for label in names if sample.labels.get(label))] = int(
                    sample.value
                )
    return metrics


def settled_metrics(client: httpx.Client) -> Metrics:
    """The metrics once all earlier requests are in them."""
    before, now = Metrics(), own_metrics(client)
    while now != before:
        time.sleep(REPORT_S)
        before, now = now, own_metrics(client)
    return now


@pytest.fixture(scope="module")
def sent(server: LiveService, service_files: ServiceFiles, traces: Collector, mindy: bytes) -> Iterator[Sent]:
    """One `/match` and a few more requests to the session's service, which is otherwise idle."""
    _, key = create(service_files.keys, "tested", ("read", "enrol", "admin"), ())
    with httpx.Client(base_url=server.address, timeout=60, headers={"Authorization": f"Bearer {key}"}) as client:
        before = settled_metrics(client)
        given = {"traceparent": f"00-{TRACE}-{CALLER}-01", "X-Request-ID": REQUEST}
        pair = dict.fromkeys(["image1", "image2"], base64.b64encode(mindy).decode())
        assert client.post("/match", json=pair, headers=given).status_code == 200
        embedded = client.post("/v1/embed", files={"photo": mindy}).json()["faces"][0]["embedding"]["values"]
        assert client.put("/v1/collections/staff", json={}).status_code == 201
        assert client.post("/v1/collections/staff/faces", data={"subject": SUBJECT}, files={"photo": mindy}).is_success
        assert client.get("/v1/models", headers={"Authorization": "Bearer fg_no_key"}).status_code == 401
        yield Sent(traces, service_files, key, mindy, embedded, client, before)
        client.delete("/v1/collections/staff", params={"with_faces": True}).raise_for_status()


def test_match_is_one_trace_over_all_its_hops(sent: Sent) -> None:
    def spans(prefix: str = "") -> list[Span]:
        return [span for span in sent.collector.spans if span.trace == TRACE and span.name.startswith(prefix)]

    until(lambda: len(spans("replica_handle_request")) >= 3 and spans("POST /match"), 15)
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


def test_no_span_identifies_a_person(sent: Sent) -> None:
    until(lambda: sent.collector.spans, 15)
    for span in sent.collector.spans:
        assert len(span.name) < 100
        for value in span.attributes.values():
            assert len(value) < 200
            assert SUBJECT not in value
            assert sent.key not in value


def test_log_lines_of_a_request_have_its_id_and_trace_in_every_process(sent: Sent) -> None:
    texts = [file.read_text("utf-8") for file in sent.files.logs.glob("replica_*.log")]
    lines = [json.loads(line) for text in texts for line in text.splitlines()]
    lines = [line for line in lines if line.get("request_id") == REQUEST]
    assert {line["deployment"].removeprefix("facegraph_") for line in lines} == set(STAGES)
    assert {line["trace_id"] for line in lines} == {TRACE}
    [access] = [line for line in lines if "http_route" in line]
    assert (access["http_method"], access["http_route"], access["http_status"]) == ("POST", "/match", 200)
    assert access["duration_ms"] > 0


def test_no_log_has_a_photo_an_embedding_or_a_key(sent: Sent) -> None:
    files = [file for file in sent.files.folder.rglob("*") if file.is_file() and "gallery" not in file.parts]
    logs = [file for file in files if file.suffix in (".log", ".jsonl") or file.name == "log"]
    assert len(logs) > len(STAGES)
    encoded = base64.b64encode(sent.photo).decode()
    parts = [encoded[start : start + 40] for start in range(0, len(encoded) - 40, 4000)]
    secrets = [sent.key.rpartition("_")[2], *parts, *(repr(each)[:10] for each in sent.embedding if abs(each) > 0.01)]
    for file in logs:
        text = file.read_text("utf-8")
        assert [each for each in secrets if each in text] == []


def test_metrics_count_what_was_done(sent: Sent) -> None:
    until(lambda: (own_metrics(sent.client) - sent.before)["enrolments", "enrolled"], 40)
    increase = own_metrics(sent.client) - sent.before
    outcomes = ("matches", "liveness_verdicts", "photos", "faces", "enrolments")
    assert {key: count for key, count in increase.items() if key[0] in outcomes} == {
        ("matches", "/match", "match"): 1,
        ("liveness_verdicts", "live"): 2,
        ("photos", "decoded"): 4,
        ("faces", "found"): 4,
        ("enrolments", "enrolled"): 1,
    }
    calls = {
        ("requests", "/match"): 1,
        ("requests", "/v1/models", "UNAUTHENTICATED"): 1,
        ("stage_call_duration_seconds", "liveness", "crmnet"): 1,
        ("stage_work_duration_seconds", "detector", "mtcnn"): 1,
        ("stage_work_duration_seconds", "detector", "retinaface"): 2,
    }
    assert {key: increase[key] for key in calls} == calls


def test_metrics_have_the_size_of_the_gallery(sent: Sent) -> None:
    names = [each["name"] for each in sent.client.get("/v1/collections").raise_for_status().json()["collections"]]
    sizes = [sent.client.get(f"/v1/collections/{quote(name, safe='')}").raise_for_status().json() for name in names]
    faces, subjects = (sum(size[what] for size in sizes) for what in ("faces", "subjects"))
    assert min(faces, subjects) > 0
    expected = {"gallery_collections": len(sizes), "gallery_faces": faces, "gallery_subjects": subjects}

    def sizes_by_family() -> Counter[str]:
        sums: Counter[str] = Counter()
        for (family, *_), value in own_metrics(sent.client).items():
            sums[family] += value
        return sums

    until(lambda: expected.items() <= sizes_by_family().items(), 40)
