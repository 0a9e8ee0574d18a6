"""Reports each completed request: metrics, its span, and one log line."""

import logging

from telemetry.metrics import Metrics
from telemetry.request_record import AnsweredRequest
from telemetry.tracing import describe_span

logger = logging.getLogger("ray.serve")

FIELDS = ("http_method", "http_route", "http_status", "duration_ms", "error_code")
"""Fields of the JSON log line, in addition to Serve's own, such as `request_id`."""


class RequestLog:
    """Reports the requests of one ingress replica. Implements `telemetry.request_record.Observe`."""

    def __init__(self) -> None:
        self._metrics = Metrics()

    def __call__(self, answered: AnsweredRequest) -> None:
        """Report one request."""
        self._metrics(answered)
        describe_span(answered)
        values = (answered.method, answered.route, answered.status, round(1000 * answered.seconds, 1))
        # Serve's own line, which is switched off, has the application's prefix instead of the route.
        logger.info("%s %s %d %.1fms", *values, extra=dict(zip(FIELDS, (*values, answered.code), strict=True)))
