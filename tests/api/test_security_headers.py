"""What every answer tells a browser."""

import asyncio
import re

import httpx
import pytest
from starlette.responses import PlainTextResponse
from starlette.testclient import TestClient
from starlette.types import Receive, Scope, Send

from api.security_headers import DOCUMENTATION, HEADERS, STRICT, SecurityHeaders
from api.settings import LimitArgs
from tests.fakes import FakeNetwork, client, serve_log, stages


def check(response: httpx.Response, policy: str) -> None:
    expected = HEADERS | {"Content-Security-Policy": policy}
    assert {name: response.headers.get_list(name) for name in expected} == {
        name: [value] for name, value in expected.items()
    }


def test_the_headers_are_these() -> None:
    assert HEADERS == {
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
        "Referrer-Policy": "no-referrer",
        "Cache-Control": "no-store",
    }
    assert STRICT == "default-src 'none'; frame-ancestors 'none'"


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/", 200),
        ("GET", "/health", 200),
        ("GET", "/openapi.json", 200),
        ("GET", "/nowhere", 404),
        ("GET", "/match", 405),
        ("POST", "/match", 400),
        ("GET", "/docs/oauth2-redirect", 200),
    ],
)
def test_every_answer_has_them(method: str, path: str, status: int) -> None:
    response = client().request(method, path)
    assert response.status_code == status
    check(response, STRICT)


def test_a_fault_and_a_body_that_is_too_large_have_them() -> None:
    pair = {"image1": "QUJD", "image2": "QUJD"}
    with serve_log():
        response = client(stages(embed=FakeNetwork(RuntimeError("fault")))).post("/match", json=pair)
    assert response.status_code == 500
    check(response, STRICT)
    limits = LimitArgs(max_image_size=3)
    response = client(limits=limits).post("/match", content=b" " * 2 * limits.max_body)
    assert response.status_code == 413
    check(response, STRICT)


@pytest.mark.parametrize("path", ["/docs", "/redoc"])
def test_the_documentation_may_load_what_it_names_and_nothing_may_frame_it(path: str) -> None:
    response = client().get(path)
    check(response, DOCUMENTATION)
    policy = dict(part.split(" ", 1) for part in DOCUMENTATION.split("; "))
    assert policy["frame-ancestors"] == policy["default-src"] == "'none'"
    loaded = re.findall(r'<(script|link|img)[^>]+?(?:src|href)="(https://[^/"]+)', response.text)
    assert loaded
    # A favicon is an image.
    allowed = {
        "script": policy["script-src"],
        "img": policy["img-src"],
        "link": f"{policy['style-src']} {policy['img-src']}",
    }
    assert [site for kind, site in loaded if site not in allowed[kind]] == []
    assert "<script>" in response.text or "<style>" in response.text
    assert policy["connect-src"] == "'self'"


def test_what_a_route_says_of_caching_is_replaced() -> None:
    app = SecurityHeaders(PlainTextResponse("x", headers={"Cache-Control": "public", "X-Own": "kept"}))
    response = TestClient(app).get("/")
    check(response, STRICT)
    assert response.headers["x-own"] == "kept"


def test_what_is_not_http_passes() -> None:
    seen = []

    async def inner(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(scope)

    scope = {"type": "lifespan"}
    asyncio.run(SecurityHeaders(inner)(scope, None, None))  # type: ignore[arg-type]
    assert seen == [scope]
