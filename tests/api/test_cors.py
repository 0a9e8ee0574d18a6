"""Which pages of other sites may call this service from a browser."""

import pytest

from api.settings import LimitArgs
from tests.fakes import client

PAGE = "https://page.example"
ORIGIN = {"origin": PAGE}
ASKS = {**ORIGIN, "access-control-request-method": "POST", "access-control-request-headers": "content-type,x-mine"}
EXTRACT = "/api/v1/extract-embedding"
ALLOWED = "access-control-allow-origin"


def test_any_page_may_call_by_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CORS_ORIGINS", raising=False)
    response = client().get("/api/v1/model-info", headers=ORIGIN)
    assert response.headers[ALLOWED] == "*"
    assert response.headers["access-control-expose-headers"] == "Retry-After, Server-Timing"
    assert "access-control-allow-credentials" not in response.headers
    preflight = client().options(EXTRACT, headers=ASKS)
    assert (preflight.status_code, preflight.headers[ALLOWED]) == (200, "*")
    assert "POST" in preflight.headers["access-control-allow-methods"]
    assert "content-type" in preflight.headers["access-control-allow-headers"]


@pytest.mark.parametrize("origins", [PAGE, f"https://other.example, {PAGE}", f" {PAGE} ,,"])
def test_a_named_page_may_call_and_no_other(origins: str) -> None:
    asked = client(limits=LimitArgs(cors_origins=origins))
    assert asked.options(EXTRACT, headers=ASKS).headers[ALLOWED] == PAGE
    assert asked.get("/api/v1/health", headers=ORIGIN).headers[ALLOWED] == PAGE
    for stranger in ("https://page.example.org", "http://page.example", "null"):
        assert asked.options(EXTRACT, headers={**ASKS, "origin": stranger}).status_code == 400
        assert ALLOWED not in asked.get("/api/v1/health", headers={"origin": stranger}).headers


def test_a_page_of_another_site_changes_nothing() -> None:
    asked, elsewhere = client(), {**ORIGIN, "sec-fetch-site": "cross-site"}
    answer = asked.post("/add_face", headers=elsewhere)
    assert (answer.status_code, answer.json()) == (403, {"detail": "Cross-site requests are not allowed on this route"})
    for site in ("same-origin", "same-site", "none"):
        assert asked.post("/add_face", headers={"sec-fetch-site": site}).status_code == 400
    assert asked.post("/api/v1/warm-up", headers=elsewhere).status_code == 200
    # A link on another page leads to such a request.
    assert asked.get("/v1/models", headers=elsewhere).status_code == 200


def test_without_origins_no_page_may_call() -> None:
    asked = client(limits=LimitArgs(cors_origins=""))
    refused = asked.options(EXTRACT, headers=ASKS)
    assert refused.status_code == 400
    assert refused.json() == {"detail": {"code": "INVALID_REQUEST", "message": "Disallowed CORS origin"}}
    assert ALLOWED not in asked.get("/api/v1/health", headers=ORIGIN).headers


@pytest.mark.parametrize("path", ["/", "/health", "/match", "/openapi.json", "/list_faces", "/api/v2/x"])
def test_no_other_path_is_open(path: str) -> None:
    asked = client(limits=LimitArgs(cors_origins="*"))
    preflight = asked.options(path, headers=ASKS)
    assert preflight.status_code in (404, 405)
    for response in (asked.get(path, headers=ORIGIN), asked.post(path, json={}, headers=ORIGIN), preflight):
        assert not any(name.startswith("access-control-") for name in response.headers)
