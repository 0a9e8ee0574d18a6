"""What is reported of an answered request: metrics, a log line, and the attributes of its span."""

import logging
from typing import Any

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from telemetry import metrics
from telemetry.request_log import RequestLog
from telemetry.request_record import AnsweredRequest, RequestRecord, StageCall, TimedAnswer
from telemetry.tracing import add_steps, add_trace_id
from tests.fakes import serve_log

Labels = dict[str, str]
Update = tuple[str, float, Labels]


@pytest.fixture
def updates(monkeypatch: pytest.MonkeyPatch) -> list[Update]:
    """The updates of all metrics."""
    kept = list[Update]()

    class KeptMetric:
        def __init__(self, name: str, description: str, *more: Any) -> None:
            self._name, self._keys = name, set(more[-1])

        def inc(self, value: float, labels: Labels) -> None:
            assert labels.keys() == self._keys
            kept.append((self._name.removeprefix("facegraph_"), value, labels))

        observe = inc

    monkeypatch.setattr(metrics, "Counter", KeptMetric)
    monkeypatch.setattr(metrics, "Histogram", KeptMetric)
    return kept


def report(did: RequestRecord) -> None:
    """Report a request that lasted an eighth of a second."""
    RequestLog()(AnsweredRequest("POST", "/match", 503, "TIMEOUT", 0.12345, did))


def test_request_is_counted_with_its_outcomes(updates: list[Update]) -> None:
    did = RequestRecord(0.0)
    did.outcomes.update({("photo", "decoded"): 2, ("face", "found"): 3, ("liveness", "spoof"): 1})
    did.outcomes.update({("liveness", "live"): 0, ("enrolment", "already"): 1, ("match", "no_match"): 1})
    report(did)
    assert updates == [
        ("requests_total", 1, {"method": "POST", "route": "/match", "status": "503", "code": "TIMEOUT"}),
        ("request_duration_seconds", 0.12345, {"method": "POST", "route": "/match"}),
        ("photos_total", 2, {"outcome": "decoded"}),
        ("faces_total", 3, {"outcome": "found"}),
        ("liveness_verdicts_total", 1, {"outcome": "spoof"}),
        ("enrolments_total", 1, {"outcome": "already"}),
        ("matches_total", 1, {"route": "/match", "verdict": "no_match"}),
    ]


def test_stage_calls_are_counted_with_the_replicas_own_time(updates: list[Update]) -> None:
    did = RequestRecord(0.0)
    detector, gallery = {"stage": "detector", "role": "mtcnn"}, {"stage": "gallery", "role": "find"}
    did.calls = [
        StageCall("detector", "mtcnn", 1.0, 1.5, TimedAnswer(None, 0.375, {"decode": 0.25}), size=2),
        StageCall("gallery", "find", 1.0, 1.5, failure="ActorDiedError", repeated=True),
    ]
    report(did)
    assert updates[2:] == [
        ("stage_call_duration_seconds", 0.5, detector),
        ("stage_work_duration_seconds", 0.375, detector),
        ("stage_wait_duration_seconds", 0.125, detector),
        ("stage_step_duration_seconds", 0.25, {**detector, "step": "decode"}),
        ("stage_batch_size", 2, detector),
        ("stage_call_duration_seconds", 0.5, gallery),
        ("stage_failures_total", 1, {**gallery, "error": "ActorDiedError"}),
        ("stage_retries_total", 1, gallery),
    ]


def logged() -> logging.LogRecord:
    """The one log line of a request with two steps."""
    with serve_log() as log:
        report(RequestRecord(0.0))
    add_steps({"decode": 0.0123456, "detect": 0.05})
    [line] = log
    assert add_trace_id(line) is True
    return line


def test_span_and_log_line_describe_the_request(updates: list[Update]) -> None:
    kept, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(kept))
    with provider.get_tracer("tested").start_as_current_span("replica_handle_request") as current:
        line = logged()
    [span] = kept.get_finished_spans()
    assert span.name == "POST /match"
    assert span.attributes == {
        "http.response.status_code": 503,
        "error.type": "TIMEOUT",
        "facegraph.decode_ms": 12.35,
        "facegraph.detect_ms": 50.0,
    }
    assert line.getMessage() == "POST /match 503 123.5ms"
    fields = ("http_method", "http_route", "http_status", "duration_ms", "error_code", "trace_id")
    trace_id = f"{current.get_span_context().trace_id:032x}"
    assert [line.__dict__[name] for name in fields] == ["POST", "/match", 503, 123.5, "TIMEOUT", trace_id]


def test_log_line_outside_a_trace_has_no_trace_id(updates: list[Update]) -> None:
    assert "trace_id" not in logged().__dict__
