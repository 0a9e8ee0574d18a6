"""Traces across the hops: Ray Serve makes and connects the spans, this sends them and says what they are about.

Off unless `exporter` is named to Serve, which `deployments.transport` does where the environment has a collector.
"""

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING

from opentelemetry import context, trace
from ray.serve._private.tracing_utils import TRACE_STACK, is_tracing_enabled

from telemetry.answered_request import AnsweredRequest

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import SpanProcessor


def exporter() -> "list[SpanProcessor]":
    """What Serve calls once in each of its processes: spans go in batches to ``OTEL_EXPORTER_OTLP_ENDPOINT`` over HTTP.

    The other standard variables hold, too: ``OTEL_EXPORTER_OTLP_HEADERS``, ``OTEL_SERVICE_NAME``, …. From then on the
    process's log lines have the `trace_id` of their request.
    """
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    logging.getLogger("ray.serve").addFilter(_with_trace_id)
    return [BatchSpanProcessor(OTLPSpanExporter())]


def describe(answered: AnsweredRequest) -> None:
    """Let the running request's span tell its route and what came of it."""
    span = trace.get_current_span()
    if not span.is_recording():
        return
    span.update_name(f"{answered.method} {answered.route}")
    span.set_attribute("http.response.status_code", answered.status)
    if answered.code:
        span.set_attribute("error.type", answered.code)


def tell_steps(steps: Mapping[str, float]) -> None:
    """Let the running call's span tell how long the parts of its work took, in milliseconds."""
    span = trace.get_current_span()
    if span.is_recording():
        for step, seconds in steps.items():
            span.set_attribute(f"facegraph.{step}_ms", round(1000 * seconds, 2))


def apart() -> None:
    """Let the spans of the calls that the running task makes be told apart from those of other tasks of its request.

    Serve keeps the open spans of a request in one list, and tells whichever began last what it knows of any.
    """
    if is_tracing_enabled():
        TRACE_STACK.set([*TRACE_STACK.get([])])


def untraced() -> None:
    """Let the calls that the running task makes leave no spans, for questions that no request asks."""
    if is_tracing_enabled():
        # What follows a span that is not sampled is not sampled either.
        parent = trace.NonRecordingSpan(trace.SpanContext(1, 1, is_remote=False))
        context.attach(trace.set_span_in_context(parent))


def _with_trace_id(record: logging.LogRecord) -> bool:
    context = trace.get_current_span().get_span_context()
    if context.is_valid:
        record.trace_id = trace.format_trace_id(context.trace_id)
    return True
