"""A service that is watched: traces, logs and metrics of the same few requests."""

import base64
import json
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from access.keys import create
from tests.collector import Collector
from tests.live_service import LiveService
from tests.service_files import ServiceFiles
from tests.waiting import until

TRACE, CALLER = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
REQUEST = "request-of-the-test"
SUBJECT = "ada-of-the-test"
STAGES = ["ingress", "detector-mtcnn", "liveness-crmnet", "embedder-arcface"]

OURS = "ray_facegraph_"
PERIOD_S = 4
"""Longer than metrics are on their way."""

Told = dict[str, dict[tuple[str, ...], float]]
"""Of each family of metrics its values, by their labels."""


@dataclass
class Watched:
    """What was asked, and what is known of it afterwards.

    Attributes:
        told: what the metrics told before.
    """

    collector: Collector
    files: ServiceFiles
    key: str
    sent: bytes
    embedding: list[float]
    client: httpx.Client
    told: Told

    def lines(self) -> list[dict[str, Any]]:
        """Every line of the logs of Serve's replicas."""
        texts = [file.read_text("utf-8") for file in sorted(self.files.logs.glob("replica_*.log"))]
        return [json.loads(line) for text in texts for line in text.splitlines()]

    def more(self) -> Told:
        """By how much the numbers of the metrics are higher than before."""
        more = Told()
        for family, now in told(self.client).items():
            before = self.told.get(family, {})
            changes = {labels: value - before.get(labels, 0) for labels, value in now.items()}
            more[family] = {labels: change for labels, change in changes.items() if change}
        return more


def told(client: httpx.Client) -> Told:
    """The service's own metrics, without those of asking for them."""
    response = client.get("/metrics")
    assert response.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    keys = ("route", "code", "stage", "role", "outcome", "verdict", "model")
    return {
        family.name.removeprefix(OURS): {
            tuple(sample.labels[key] for key in keys if sample.labels.get(key)): sample.value
            for sample in family.samples
            if not sample.name.endswith(("_bucket", "_sum", "_created")) and sample.labels.get("route") != "/metrics"
        }
        for family in text_string_to_metric_families(response.text)
        if family.name.startswith(OURS)
    }


def settled(client: httpx.Client) -> Told:
    """The same once what others asked for before has been told of."""
    before, now = Told(), told(client)
    while now != before:
        time.sleep(PERIOD_S)
        before, now = now, told(client)
    return now


@pytest.fixture(scope="module")
def watched(server: LiveService, service_files: ServiceFiles, traces: Collector, mindy: bytes) -> Iterator[Watched]:
    """One `/match` and a few more requests to the session's service, which nobody else asks meanwhile."""
    _, key = create(service_files.keys, "tested", ("read", "enrol", "admin"), ())
    with httpx.Client(base_url=server.address, timeout=60, headers={"Authorization": f"Bearer {key}"}) as client:
        before = settled(client)
        given = {"traceparent": f"00-{TRACE}-{CALLER}-01", "X-Request-ID": REQUEST}
        pair = dict.fromkeys(["image1", "image2"], base64.b64encode(mindy).decode())
        assert client.post("/match", json=pair, headers=given).status_code == 200
        embedded = client.post("/v1/embed", files={"photo": mindy}).json()["faces"][0]["embedding"]["values"]
        assert client.put("/v1/collections/staff", json={}).status_code == 201
        assert client.post("/v1/collections/staff/faces", data={"subject": SUBJECT}, files={"photo": mindy}).is_success
        assert client.get("/v1/models", headers={"Authorization": "Bearer fg_no_key"}).status_code == 401
        yield Watched(traces, service_files, key, mindy, embedded, client, before)
        client.delete("/v1/collections/staff", params={"with_faces": True}).raise_for_status()


def test_a_match_is_one_trace_over_all_its_hops(watched: Watched) -> None:
    def spans() -> Any:
        return [span for span in watched.collector.spans if span.trace == TRACE]

    def deployments() -> list[str]:
        return [span.name.split()[1] for span in spans() if span.name.startswith("replica_handle_request")]

    until(lambda: len(deployments()) >= 3 and any(span.name == "POST /match" for span in spans()), 15)
    assert sorted(deployments()) == sorted(STAGES[1:])
    known = {span.id for span in spans()}
    assert {span.parent for span in spans()} <= known | {CALLER}
    [request] = [span for span in spans() if span.parent == CALLER]
    assert request.name == "POST /match"
    assert "200" in request.attributes["http.response.status_code"]
    routed = {span.name.split()[1]: span for span in spans() if span.name.startswith("route_to_replica")}
    # Two of these ran side by side.
    assert {name: name in span.attributes["rpc.service"] for name, span in routed.items()} == dict.fromkeys(
        STAGES[1:], True
    )
    [detector] = [span for span in spans() if span.name == "replica_handle_request detector-mtcnn detect"]
    assert {"facegraph.decode_ms", "facegraph.detect_ms", "facegraph.crop_ms"} <= detector.attributes.keys()


def test_no_span_tells_of_a_person(watched: Watched) -> None:
    until(lambda: watched.collector.spans, 15)
    for span in watched.collector.spans:
        assert len(span.name) < 100
        for value in span.attributes.values():
            assert len(value) < 200
            assert SUBJECT not in value
            assert watched.key not in value


def test_the_lines_of_a_request_have_its_id_and_trace_in_every_process(watched: Watched) -> None:
    lines = [line for line in watched.lines() if line.get("request_id") == REQUEST]
    assert {line["deployment"].removeprefix("facegraph_") for line in lines} == set(STAGES)
    assert {line["trace_id"] for line in lines} == {TRACE}
    [access] = [line for line in lines if "http_route" in line]
    assert (access["http_method"], access["http_route"], access["http_status"]) == ("POST", "/match", 200)
    assert access["duration_ms"] > 0


def test_no_log_has_a_photo_an_embedding_or_a_key(watched: Watched) -> None:
    files = [file for file in watched.files.folder.rglob("*") if file.is_file() and "gallery" not in file.parts]
    logs = [file for file in files if file.suffix in (".log", ".jsonl") or file.name == "log"]
    assert len(logs) > len(STAGES)
    encoded = base64.b64encode(watched.sent).decode()
    secret = watched.key.rpartition("_")[2]
    for file in logs:
        text = file.read_text("utf-8")
        assert secret not in text
        assert not any(encoded[start : start + 40] in text for start in range(0, len(encoded) - 40, 4000))
        assert not any(re.search(re.escape(repr(value)[:10]), text) for value in watched.embedding if abs(value) > 0.01)


def test_the_metrics_tell_what_was_done(watched: Watched) -> None:
    until(lambda: watched.more().get("enrolments"), 40)
    more = watched.more()
    assert more["requests"][("/match",)] == 1
    assert more["requests"][("/v1/models", "UNAUTHENTICATED")] == 1
    assert more["stage_call_duration_seconds"][("liveness", "crmnet")] == 1
    assert more["stage_work_duration_seconds"][("detector", "mtcnn")] == 1
    assert more["stage_work_duration_seconds"][("detector", "retinaface")] == 2
    assert more["matches"] == {("/match", "match"): 1}
    assert more["liveness_verdicts"] == {("live",): 2}
    assert more["photos"] == {("decoded",): 4}
    assert more["faces"] == {("found",): 4}
    assert more["enrolments"] == {("enrolled",): 1}


def test_the_metrics_tell_how_large_the_gallery_is(watched: Watched) -> None:
    there = watched.client.get("/v1/collections").raise_for_status().json()["collections"]
    sizes = [
        watched.client.get(f"/v1/collections/{quote(each['name'], safe='')}").raise_for_status().json()
        for each in there
    ]
    faces, subjects = (sum(size[what] for size in sizes) for what in ("faces", "subjects"))
    assert min(faces, subjects) > 0

    def agrees() -> bool:
        now = told(watched.client)
        gauges = (sum(now.get(f"gallery_{what}", {}).values()) for what in ("collections", "faces", "subjects"))
        return tuple(gauges) == (len(sizes), faces, subjects)

    until(agrees, 40)
