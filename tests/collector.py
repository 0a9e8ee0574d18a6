"""An OpenTelemetry collector over HTTP that keeps all spans."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tests.app_server import serving


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

    async def keep(request: Request) -> Response:
        for resource in ExportTraceServiceRequest.FromString(await request.body()).resource_spans:
            for span in (span for scope in resource.scope_spans for span in scope.spans):
                ids = (span.trace_id.hex(), span.span_id.hex(), span.parent_span_id.hex())
                spans.append(Span(span.name, *ids, {each.key: str(each.value) for each in span.attributes}))
        return Response()

    with serving(Starlette(routes=[Route("/{path:path}", keep, methods=["POST"])])) as address:
        yield Collector(address, spans)
