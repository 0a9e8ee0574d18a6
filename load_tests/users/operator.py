"""Whoever runs the service: a monitor that polls its health, and now and then an operator."""

from collections.abc import Callable
from typing import Any

from locust import tag

from load_tests.users.service_user import ServiceUser


def request(method: str, path: str) -> Callable[[ServiceUser], None]:
    """A task that sends one request without a body."""

    @tag("manage")
    def send(user: ServiceUser) -> None:
        user.ask(method, path)

    return send


class OperatorUser(ServiceUser):
    """Polls health and metrics, lists collections, and erases deleted faces."""

    tasks: Any = {  # noqa: RUF012
        request("GET", "/health"): 10,
        request("GET", "/livez"): 2,
        request("GET", "/readyz"): 2,
        request("GET", "/v1/status"): 2,
        request("GET", "/v1/collections"): 2,
        request("GET", "/metrics"): 1,
        request("GET", "/"): 1,
        request("POST", "/v1/gallery/clean"): 1,
    }
