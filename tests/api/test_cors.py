"""Which pages of other sites may call this service from a browser."""

import asyncio

import pytest
from starlette.testclient import TestClient
from starlette.types import Receive, Scope, Send

from api.cors import OpenPaths
from api.settings import LimitArgs
from tests.fakes import FakeNetwork, client, serve_log, stages

PAGE = "https://page.example"
ORIGIN = {"origin": PAGE}
ASKS = {**ORIGIN, "access-control-request-method": "POST", "access-control-request-headers": "content-type,x-mine"}
EXTRACT, COMPARE = "/api/v1/extract-embedding", "/api/v1/compare-faces"
ALLOWED = "access-control-allow-origin"


def over(origins: str) -> TestClient:
    return client(limits=LimitArgs(cors_origins=origins))


def test_any_page_may_call_by_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CORS_ORIGINS", raising=False)
    response = client().get("/api/v1/model-info", headers=ORIGIN)
    assert response.status_code == 200
    assert response.headers[ALLOWED] == "*"
    assert response.headers["access-control-expose-headers"] == "Retry-After, Server-Timing"
    assert "server-timing" in response.headers
    assert "access-control-allow-credentials" not in response.headers


def test_a_browser_that_asks_first_is_told_so() -> None:
    response = over("*").options(EXTRACT, headers=ASKS)
    assert response.status_code == 200
    assert response.headers[ALLOWED] == "*"
    assert "POST" in response.headers["access-control-allow-methods"]
    assert "content-type" in response.headers["access-control-allow-headers"]


@pytest.mark.parametrize("origins", [PAGE, f"https://other.example, {PAGE}", f" {PAGE} ,,"])
def test_a_named_page_may_call_and_no_other(origins: str) -> None:
    asked = over(origins)
    assert asked.options(EXTRACT, headers=ASKS).headers[ALLOWED] == PAGE
    assert asked.get("/api/v1/health", headers=ORIGIN).headers[ALLOWED] == PAGE
    for stranger in ("https://page.example.org", "http://page.example", "null"):
        assert asked.options(EXTRACT, headers={**ASKS, "origin": stranger}).status_code == 400
        assert ALLOWED not in asked.get("/api/v1/health", headers={"origin": stranger}).headers


def test_a_page_of_another_site_changes_nothing() -> None:
    asked = client()
    photo = {"data": {"id": "jane"}, "files": {"file": b"anna"}}
    answer = asked.post("/add_face", **photo, headers={**ORIGIN, "sec-fetch-site": "cross-site"})
    assert (answer.status_code, answer.json()) == (403, {"detail": "Pages of other sites may not send this request"})
    for site in ("same-origin", "same-site", "none"):
        assert asked.post("/add_face", **photo, headers={"sec-fetch-site": site}).status_code != 403
    elsewhere = {**ORIGIN, "sec-fetch-site": "cross-site"}
    assert asked.post("/api/v1/warm-up", headers=elsewhere).status_code == 200
    # A link on another page to this one's.
    assert asked.get("/v1/models", headers=elsewhere).status_code == 200


def test_no_origins_are_no_page() -> None:
    refused = over("").options(EXTRACT, headers=ASKS)
    assert refused.status_code == 400
    assert refused.json() == {"detail": {"code": "INVALID_REQUEST", "message": "Disallowed CORS origin"}}
    assert ALLOWED not in over("").get("/api/v1/health", headers=ORIGIN).headers


def test_the_variable_names_the_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CORS_ORIGINS", "https://from.example")
    assert LimitArgs().cors_origins == "https://from.example"
    assert LimitArgs(cors_origins=PAGE).cors_origins == PAGE


@pytest.mark.parametrize(
    ("path", "status"), [(EXTRACT, 400), ("/api/v1/nowhere", 404), ("/api/v1/health", 405)], ids=["400", "404", "405"]
)
def test_a_page_can_read_what_is_wrong(path: str, status: int) -> None:
    response = over(PAGE).post(path, json={}, headers=ORIGIN)
    assert response.status_code == status
    assert response.headers[ALLOWED] == PAGE
    assert response.json()["detail"]["message"]


def test_a_page_can_read_that_its_body_is_too_large() -> None:
    limits = LimitArgs(max_image_size=3, cors_origins=PAGE)
    response = client(limits=limits).post(EXTRACT, content=b" " * 2 * limits.max_body, headers=ORIGIN)
    assert response.status_code == 413
    assert response.headers[ALLOWED] == PAGE


def test_a_page_can_read_a_fault() -> None:
    with serve_log():
        response = client(stages(embed=FakeNetwork(RuntimeError("fault")))).post(
            EXTRACT, json={"image": "QUJD", "enforce_detection": False}, headers=ORIGIN
        )
    assert response.status_code == 500
    assert response.headers[ALLOWED] == "*"


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/health",
        "/match",
        "/compare",
        "/detect-face",
        "/openapi.json",
        "/list_faces",
        "/api",
        "/api/v1",
        "/api/v2/x",
    ],
)
def test_no_other_path_is_open(path: str) -> None:
    asked = over("*")
    for response in (
        asked.get(path, headers=ORIGIN, follow_redirects=False),
        asked.post(path, json={}, headers=ORIGIN, follow_redirects=False),
        asked.options(path, headers=ASKS, follow_redirects=False),
    ):
        assert not any(name.startswith("access-control-") for name in response.headers)
    assert asked.options(path, headers=ASKS).status_code in (404, 405)


def test_a_caller_that_is_no_page_is_answered_as_ever() -> None:
    response = over("").post(COMPARE, json={"embedding1": [1], "embedding2": [1]})
    assert response.status_code == 200
    assert ALLOWED not in response.headers


def test_what_is_not_http_passes() -> None:
    seen = []

    async def inner(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(scope)

    scope = {"type": "lifespan"}
    asyncio.run(OpenPaths(inner, "*")(scope, None, None))  # type: ignore[arg-type]
    assert seen == [scope]
