"""The whole app: the layers around every route, and the policy that each request keeps."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.responses import PlainTextResponse
from starlette.testclient import TestClient
from starlette.types import Message

from access.settings import AccessArgs
from api.app import create_app
from api.security_headers import DOCUMENTATION, HEADERS, STRICT, SecurityHeaders
from api.settings import LimitArgs
from graphs.flow_settings import FlowSettings
from graphs.stages import DetectionRequest
from imaging.faces import Detection
from tests.api.asgi import ask
from tests.fakes import FakeNetwork, People, client, detector, serve_log, service, stages, with_stages

EXTRACT = "/api/v1/extract-embedding"


async def test_a_connection_that_is_not_http_passes_every_layer() -> None:
    lifespan = iter([{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}])

    async def receive() -> Message:
        return next(lifespan)

    made = replace(service(), access=AccessArgs(require_keys=True, audit_log=""))
    sent = await ask(create_app(made), receive, type="lifespan")
    assert [message["type"] for message in sent] == ["lifespan.startup.complete", "lifespan.shutdown.complete"]


@pytest.mark.parametrize(
    ("status", "method", "path", "body"),
    [
        (200, "GET", "/api/v1/model-info", {}),
        (400, "POST", EXTRACT, {"json": {}}),
        (404, "GET", "/api/v1/nowhere", {}),
        (405, "GET", EXTRACT, {}),
        (413, "POST", EXTRACT, {"content": b" " * 2 * LimitArgs(max_image_size=9).max_body}),
        (500, "POST", EXTRACT, {"json": {"image": "QUJD", "enforce_detection": False}}),
        (401, "POST", EXTRACT, {"json": {}}),
    ],
)
def test_every_answer_has_security_headers_and_its_time_and_other_pages_may_read_it(
    status: int, method: str, path: str, body: Any, tmp_path: Path
) -> None:
    access = AccessArgs(require_keys=status == 401, keys_file=tmp_path / "keys.json", audit_log="")
    fakes = stages(embed=FakeNetwork(RuntimeError("fault")))
    made = replace(service(fakes, LimitArgs(max_image_size=9)), access=access)
    with serve_log():
        response = TestClient(create_app(made)).request(
            method, path, headers={"origin": "https://page.example"}, **body
        )
    assert response.status_code == status
    expected = {
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
        "Referrer-Policy": "no-referrer",
        "Cache-Control": "no-store",
        "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
        "Access-Control-Allow-Origin": "*",
    }
    assert {name: response.headers.get_list(name) for name in expected} == {
        name: [value] for name, value in expected.items()
    }
    assert response.headers["server-timing"].startswith("total;dur=")


def test_a_request_keeps_the_policy_that_it_began_with() -> None:
    people = People()
    before = FlowSettings(liveness_threshold=0.5, thresholds={"arcface": 0.5})
    after = FlowSettings(liveness_threshold=0.9, thresholds={"arcface": 0.9})
    made = service(settings=before)

    async def detect(question: DetectionRequest) -> Detection:
        made.settings = after
        return await people.detect(question)

    made.stages = with_stages(people.stages(), detector(detect))
    app = TestClient(create_app(made))
    files = {"photo1": b"anna", "photo2": b"anna-2"}
    for threshold in (0.5, 0.9):
        answer = app.post("/v1/verify?liveness=report", files=files).json()
        assert [face["liveness"]["threshold"] for face in answer["faces"]] == [threshold] * 2
        assert answer["threshold"]["value"] == threshold


def check(response: httpx.Response, policy: str) -> None:
    expected = HEADERS | {"Content-Security-Policy": policy}
    assert {name: response.headers.get_list(name) for name in expected} == {
        name: [value] for name, value in expected.items()
    }


@pytest.mark.parametrize("path", ["/docs", "/redoc"])
def test_the_documentation_may_load_the_files_it_links_and_no_page_may_frame_it(path: str) -> None:
    response = client().get(path)
    check(response, DOCUMENTATION)
    policy = dict(part.split(" ", 1) for part in DOCUMENTATION.split("; "))
    assert policy["frame-ancestors"] == policy["default-src"] == "'none'"
    assert policy["connect-src"] == "'self'"
    loaded = re.findall(r'<(script|link|img)[^>]+?(?:src|href)="(https://[^/"]+)', response.text)
    assert loaded
    # <link> loads a style sheet or a favicon, which is an image.
    allowed = {kind: policy[f"{kind}-src"] for kind in ("script", "img", "style")}
    allowed["link"] = allowed["style"] + allowed["img"]
    assert [site for kind, site in loaded if site not in allowed[kind]] == []


def test_a_routes_own_caching_header_is_replaced() -> None:
    app = SecurityHeaders(PlainTextResponse("x", headers={"Cache-Control": "public", "X-Own": "kept"}))
    response = TestClient(app).get("/")
    check(response, STRICT)
    assert response.headers["x-own"] == "kept"
