"""The requests of `tests.api.hostile`, to the service itself."""

import time

import httpx
import pytest

from tests.api.hostile import REQUESTS, Hostile

MOST_S = 10


@pytest.mark.parametrize("hostile", [pytest.param(request, id=request.name) for request in REQUESTS])
def test_it_is_a_4xx_in_json_and_the_service_is_well(service: httpx.Client, hostile: Hostile) -> None:
    started = time.monotonic()
    answer = service.request(hostile.method, hostile.path, headers=hostile.headers, content=hostile.content)
    assert time.monotonic() - started < MOST_S
    assert 400 <= answer.status_code < 500, answer.text[:500]
    assert answer.headers["content-type"].startswith("application/json")
    assert isinstance(answer.json(), dict)
    health = service.get("/health")
    assert (health.status_code, health.json()["status"]) == (200, "healthy")


def test_what_would_be_a_websocket_is_asked_as_http(service: httpx.Client) -> None:
    key = {"Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Version": "13"}
    answer = service.get("/nowhere", headers={"Connection": "upgrade", "Upgrade": "websocket", **key})
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "NOT_FOUND")
