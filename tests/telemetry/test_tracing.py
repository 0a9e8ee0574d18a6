"""What spans and log lines are told, by tracers of the test's own."""

import logging

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import Tracer

from telemetry import tracing
from telemetry.answered_request import AnsweredRequest
from telemetry.timing import Recorder
from telemetry.tracing import describe, tell_steps

MATCH = AnsweredRequest("POST", "/match", 503, "TIMEOUT", 0.5, Recorder(0.0))


@pytest.fixture
def kept() -> InMemorySpanExporter:
    return InMemorySpanExporter()


@pytest.fixture
def tracer(kept: InMemorySpanExporter) -> Tracer:
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(kept))
    return provider.get_tracer("tested")


@pytest.fixture
def record() -> logging.LogRecord:
    return logging.LogRecord("ray.serve", logging.INFO, "file", 1, "message", None, None)


def test_a_requests_span_tells_its_route_status_and_code(kept: InMemorySpanExporter, tracer: Tracer) -> None:
    with tracer.start_as_current_span("replica_handle_request"):
        describe(MATCH)
    [span] = kept.get_finished_spans()
    assert span.name == "POST /match"
    assert span.attributes == {"http.response.status_code": 503, "error.type": "TIMEOUT"}


def test_a_calls_span_tells_the_parts_of_its_work(kept: InMemorySpanExporter, tracer: Tracer) -> None:
    with tracer.start_as_current_span("replica_handle_request"):
        tell_steps({"decode": 0.0123456, "detect": 0.05})
    [span] = kept.get_finished_spans()
    assert span.attributes == {"facegraph.decode_ms": 12.35, "facegraph.detect_ms": 50.0}


def test_a_log_line_has_the_trace_of_its_request(tracer: Tracer, record: logging.LogRecord) -> None:
    with tracer.start_as_current_span("request") as span:
        assert tracing._with_trace_id(record) is True
    assert record.__dict__["trace_id"] == f"{span.get_span_context().trace_id:032x}"


def test_without_traces_nothing_is_told(record: logging.LogRecord) -> None:
    describe(MATCH)
    tell_steps({"decode": 0.5})
    assert tracing._with_trace_id(record) is True
    assert "trace_id" not in record.__dict__
