"""Attributes of spans, and the trace id of log lines."""

import logging

from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from telemetry.answered_request import AnsweredRequest
from telemetry.request_record import RequestRecord
from telemetry.tracing import add_steps, add_trace_id, describe_span


def describe() -> logging.LogRecord:
    """Describe the current span, and return a log record of it."""
    describe_span(AnsweredRequest("POST", "/match", 503, "TIMEOUT", 0.5, RequestRecord(0.0)))
    add_steps({"decode": 0.0123456, "detect": 0.05})
    record = logging.LogRecord("ray.serve", logging.INFO, "file", 1, "message", None, None)
    assert add_trace_id(record) is True
    return record


def test_span_has_the_route_status_code_and_steps() -> None:
    kept, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(kept))
    with provider.get_tracer("tested").start_as_current_span("replica_handle_request") as current:
        record = describe()
    [span] = kept.get_finished_spans()
    assert span.name == "POST /match"
    assert span.attributes == {
        "http.response.status_code": 503,
        "error.type": "TIMEOUT",
        "facegraph.decode_ms": 12.35,
        "facegraph.detect_ms": 50.0,
    }
    assert record.__dict__["trace_id"] == f"{current.get_span_context().trace_id:032x}"


def test_log_line_outside_a_trace_has_no_trace_id() -> None:
    assert "trace_id" not in describe().__dict__
