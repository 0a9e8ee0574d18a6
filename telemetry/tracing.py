"""Traces: Ray Serve creates and links the spans; this module exports them and sets their names and attributes.

Off unless Serve is given `exporter`, which `deployments.transport` does if the environment names a collector.
"""

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING

from opentelemetry import context, trace
from ray.serve._private.tracing_utils import TRACE_STACK, is_tracing_enabled

from telemetry.request_record import AnsweredRequest

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import SpanProcessor


def exporter() -> "list[SpanProcessor]":
    """Export spans in batches to ``OTEL_EXPORTER_OTLP_ENDPOINT`` over HTTP. Serve calls this once per process.

    OpenTelemetry's other standard variables apply too, e.g. ``OTEL_EXPORTER_OTLP_HEADERS``. The process's log lines
    also get the `trace_id` of the request.
    """
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    logging.getLogger("ray.serve").addFilter(add_trace_id)
    return [BatchSpanProcessor(OTLPSpanExporter())]


def describe_span(answered: AnsweredRequest) -> None:
    """Set the name, status and error code of the current request's span."""
    span = trace.get_current_span()
    if not span.is_recording():
        return
    span.update_name(f"{answered.method} {answered.route}")
    span.set_attribute("http.response.status_code", answered.status)
    if answered.code:
        span.set_attribute("error.type", answered.code)


def add_steps(steps: Mapping[str, float]) -> None:
    """Add the duration of each step, given in seconds, to the current call's span, in milliseconds."""
    span = trace.get_current_span()
    if span.is_recording():
        for step, seconds in steps.items():
            span.set_attribute(f"facegraph.{step}_ms", round(1000 * seconds, 2))


def isolate_spans() -> None:
    """Give the current task its own stack of open spans.

    Serve keeps one stack for all tasks of a request and adds attributes to the top span, which may be another task's.
    """
    if is_tracing_enabled():
        TRACE_STACK.set([*TRACE_STACK.get([])])


def suppress_spans() -> None:
    """Create no spans for the calls of the current task, which serve no request."""
    if is_tracing_enabled():
        # Children of an unsampled span are not sampled.
        parent = trace.NonRecordingSpan(trace.SpanContext(1, 1, is_remote=False))
        context.attach(trace.set_span_in_context(parent))


def add_trace_id(record: logging.LogRecord) -> bool:
    """Add the current request's `trace_id` to a log record; a filter for `logging` that keeps every record."""
    context = trace.get_current_span().get_span_context()
    if context.is_valid:
        record.trace_id = trace.format_trace_id(context.trace_id)
    return True
