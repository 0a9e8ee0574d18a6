"""An OpenTelemetry collector over HTTP that keeps all spans."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import httpx
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.http_server import http_server


@dataclass
class Span:
    """The parts of a span that tests use."""

    name: str
    trace: str
    id: str
    parent: str
    attributes: dict[str, str]


@dataclass
class Collector:
    """The spans that were sent to an address."""

    address: str
    spans: list[Span]


@contextmanager
def collector() -> Iterator[Collector]:
    """Run a collector on a free loopback port."""
    spans = list[Span]()

    def keep(request: httpx.Request) -> httpx.Response:
        for resource in ExportTraceServiceRequest.FromString(request.content).resource_spans:
            for span in (span for scope in resource.scope_spans for span in scope.spans):
                ids = (span.trace_id.hex(), span.span_id.hex(), span.parent_span_id.hex())
                spans.append(Span(span.name, *ids, {each.key: str(each.value) for each in span.attributes}))
        return httpx.Response(200)

    with http_server(keep) as address:
        yield Collector(address, spans)
