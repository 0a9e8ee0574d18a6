"""A service that is watched: traces, logs and metrics of the same few requests."""

import base64
import json
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from access.keys import create
from graphs.settings import ROOT
from load_tests.server import served
from tests import photos
from tests.conftest import SERVED, photo
from tests.deployments.collector import Collector, collector

TRACE, CALLER = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
REQUEST = "request-of-the-test"
STAGES = ["ingress", "detector-mtcnn", "liveness-crmnet", "embedder-arcface"]


pytestmark = SERVED


@dataclass
class Watched:
    """What was asked, and what is known of it afterwards."""

    collector: Collector
    logs: Path
    key: str
    sent: bytes
    embedding: list[float]
    client: httpx.Client

    def lines(self) -> list[dict[str, Any]]:
        """Every line of the logs of Serve's replicas."""
        texts = [file.read_text("utf-8") for file in sorted(self.logs.glob("replica_*.log"))]
        return [json.loads(line) for text in texts for line in text.splitlines()]


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    """One `/match` and a few more requests to a service of its own, which takes half a minute: nothing else is traced.

    Its stages log each call, too.
    """
    folder = tmp_path_factory.mktemp("watched")
    logs, keys = folder / "logs", folder / "keys.json"
    config = yaml.safe_load((ROOT / "configs/serve.yaml").read_text("utf-8"))
    [application] = config["applications"]
    application["logging_config"] |= {"enable_access_log": True, "logs_dir": str(logs)}
    for kind, role in [("detectors", "mediapipe"), ("embedders", "facenet")]:
        del application["args"][kind][role]
    left_out = ("detector-mediapipe", "embedder-facenet")
    application["deployments"] = [each for each in application["deployments"] if each["name"] not in left_out]
    (folder / "serve.yaml").write_text(yaml.safe_dump(config), "utf-8")
    _, key = create(keys, "tested", ("read", "enrol", "admin"), ())
    sent = photo(photos.FOLDER, "mindy_kaling", "zimbiocomfpMindyKalingfBgaONVFDFmjpg.jpg")
    with collector() as traces:
        variables = {
            "GALLERY_URI": str(folder / "gallery"),
            "KEYS_FILE": str(keys),
            "REQUIRE_KEYS": "true",
            "OTEL_EXPORTER_OTLP_ENDPOINT": traces.address,
            "OTEL_BSP_SCHEDULE_DELAY": "200",
            "RAY_metrics_report_interval_ms": "1000",
        }
        with (
            served(str(folder / "serve.yaml"), folder / "log", **variables) as server,
            httpx.Client(base_url=server.address, timeout=60, headers={"Authorization": f"Bearer {key}"}) as client,
        ):
            given = {"traceparent": f"00-{TRACE}-{CALLER}-01", "X-Request-ID": REQUEST}
            pair = dict.fromkeys(["image1", "image2"], base64.b64encode(sent).decode())
            assert client.post("/match", json=pair, headers=given).status_code == 200
            embedded = client.post("/v1/embed", files={"photo": sent}).json()["faces"][0]["embedding"]["values"]
            assert client.put("/v1/collections/staff", json={}).status_code == 201
            assert client.post("/v1/collections/staff/faces", data={"subject": "ada"}, files={"photo": sent}).is_success
            assert client.get("/v1/models", headers={"Authorization": "Bearer fg_no_key"}).status_code == 401
            yield Watched(traces, logs, key, sent, embedded, client)


def until(true: Any, seconds: float = 15) -> None:
    """Wait until what is exported in periods has arrived."""
    last = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < last
        time.sleep(0.2)


def test_a_match_is_one_trace_over_all_its_hops(watched: Watched) -> None:
    def spans() -> Any:
        return [span for span in watched.collector.spans if span.trace == TRACE]

    def deployments() -> list[str]:
        return [span.name.split()[1] for span in spans() if span.name.startswith("replica_handle_request")]

    until(lambda: len(deployments()) >= 3 and any(span.name == "POST /match" for span in spans()))
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
    until(lambda: watched.collector.spans)
    for span in watched.collector.spans:
        assert len(span.name) < 100
        for value in span.attributes.values():
            assert len(value) < 200
            assert "ada" not in value
            assert watched.key not in value


def test_the_lines_of_a_request_have_its_id_and_trace_in_every_process(watched: Watched) -> None:
    lines = [line for line in watched.lines() if line.get("request_id") == REQUEST]
    assert {line["deployment"].removeprefix("facegraph_") for line in lines} == set(STAGES)
    assert {line["trace_id"] for line in lines} == {TRACE}
    [access] = [line for line in lines if "http_route" in line]
    assert (access["http_method"], access["http_route"], access["http_status"]) == ("POST", "/match", 200)
    assert access["duration_ms"] > 0


def test_no_log_has_a_photo_an_embedding_or_a_key(watched: Watched) -> None:
    files = [file for file in watched.logs.parent.rglob("*") if file.is_file() and "gallery" not in file.parts]
    logs = [file for file in files if file.suffix in (".log", ".jsonl") or file.name == "log"]
    assert len(logs) > len(STAGES)
    encoded = base64.b64encode(watched.sent).decode()
    secret = watched.key.rpartition("_")[2]
    for file in logs:
        text = file.read_text("utf-8")
        assert secret not in text
        assert not any(encoded[start : start + 40] in text for start in range(0, len(encoded) - 40, 4000))
        assert not any(re.search(re.escape(repr(value)[:10]), text) for value in watched.embedding if abs(value) > 0.01)


def test_the_metrics_need_a_key_and_tell_what_was_done(watched: Watched) -> None:
    assert httpx.get(watched.client.base_url.join("/metrics")).status_code == 401

    def told() -> dict[str, dict[tuple[str, ...], float]]:
        response = watched.client.get("/metrics")
        assert response.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
        keys = ("route", "code", "stage", "role", "outcome", "verdict", "model")
        return {
            family.name.removeprefix("ray_facegraph_"): {
                tuple(sample.labels[key] for key in keys if sample.labels.get(key)): sample.value
                for sample in family.samples
                if not sample.name.endswith(("_bucket", "_sum", "_created"))
            }
            for family in text_string_to_metric_families(response.text)
        }

    until(lambda: told().get("enrolments") and told().get("gallery_faces", {}).get(("mobilefacenet",)), 40)
    metrics = told()
    assert metrics["requests"][("/match",)] == 1
    assert metrics["requests"][("/v1/models", "UNAUTHENTICATED")] == 1
    assert metrics["stage_call_duration_seconds"][("liveness", "crmnet")] == 1
    assert metrics["stage_work_duration_seconds"][("detector", "mtcnn")] == 3
    assert metrics["matches"] == {("/match", "match"): 1}
    assert metrics["liveness_verdicts"] == {("live",): 2}
    assert metrics["photos"] == {("decoded",): 4}
    assert metrics["faces"] == {("found",): 4}
    assert metrics["enrolments"] == {("enrolled",): 1}
    assert metrics["gallery_subjects"] == {("mobilefacenet",): 1}
