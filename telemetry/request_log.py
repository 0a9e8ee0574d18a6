"""What is done about each answered request: it is counted, its span is told, and the log gets one line."""

import logging

from telemetry.answered_request import AnsweredRequest
from telemetry.metrics import Metrics
from telemetry.tracing import describe

logger = logging.getLogger("ray.serve")

FIELDS = ("http_method", "http_route", "http_status", "duration_ms", "error_code")
"""Of the line in JSON, besides Serve's own: `request_id` and more."""


class RequestLog:
    """Watches the requests of a replica of the ingress: a `telemetry.answered_request.Observe`."""

    def __init__(self) -> None:
        self._metrics = Metrics()

    def __call__(self, answered: AnsweredRequest) -> None:
        """Record one request."""
        self._metrics(answered)
        describe(answered)
        told = (answered.method, answered.route, answered.status, round(1000 * answered.seconds, 1))
        # Serve's own line, which is switched off, has the application's prefix instead of the route.
        logger.info("%s %s %d %.1fms", *told, extra=dict(zip(FIELDS, (*told, answered.code), strict=True)))
