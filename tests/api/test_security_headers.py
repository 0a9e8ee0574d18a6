"""What every answer allows a browser to do with it. `test_app` shows that every answer has these headers."""

import re

import httpx
import pytest
from starlette.responses import PlainTextResponse
from starlette.testclient import TestClient

from api.security_headers import DOCUMENTATION, HEADERS, STRICT, SecurityHeaders
from tests.fakes import client


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


@pytest.mark.parametrize("path", ["/docs", "/redoc"])
def test_the_documentation_may_load_what_it_names_and_nothing_may_frame_it(path: str) -> None:
    response = client().get(path)
    check(response, DOCUMENTATION)
    policy = dict(part.split(" ", 1) for part in DOCUMENTATION.split("; "))
    assert policy["frame-ancestors"] == policy["default-src"] == "'none'"
    assert policy["connect-src"] == "'self'"
    loaded = re.findall(r'<(script|link|img)[^>]+?(?:src|href)="(https://[^/"]+)', response.text)
    assert loaded
    # A link is a style sheet or a favicon, which is an image.
    allowed = {kind: policy[f"{kind}-src"] for kind in ("script", "img", "style")}
    allowed["link"] = allowed["style"] + allowed["img"]
    assert [site for kind, site in loaded if site not in allowed[kind]] == []


def test_a_routes_own_caching_header_is_replaced() -> None:
    app = SecurityHeaders(PlainTextResponse("x", headers={"Cache-Control": "public", "X-Own": "kept"}))
    response = TestClient(app).get("/")
    check(response, STRICT)
    assert response.headers["x-own"] == "kept"
