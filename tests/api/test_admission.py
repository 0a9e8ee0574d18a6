"""How many requests are worked on at once, and what becomes of one more."""

import asyncio
from collections.abc import Sequence
from typing import Any

import httpx
import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import Message, Receive, Scope, Send

from api.admission import ALWAYS, WATCHING, Admission
from api.app import create_app
from api.settings import LimitArgs
from imaging.crops import CropSpec
from imaging.faces import Detection
from imaging.pick import Pick
from imaging.refused import Refused
from tests.fakes import FakeDetector, client, photo, service, stages

MESSAGE = "The service is working on as many requests as it can hold; try again shortly"
PAIR = {"image1": "QUJD", "image2": "QUJD"}


class Held:
    """An ASGI app whose requests wait until they are let go, then do what they are told."""

    def __init__(self, fault: Exception | None = None) -> None:
        self.go = asyncio.Event()
        self.fault = fault
        self.paths: list[str] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.paths.append(scope["path"])
        async with asyncio.timeout(10):
            await self.go.wait()
        if self.fault:
            raise self.fault


def refuse(request: Request, refused: Refused) -> Response:
    return PlainTextResponse(f"{request.url.path}: {refused}", 503)


async def never() -> Message:
    raise AssertionError("the body was read")


async def asked(app: Admission, path: str = "/match") -> list[Message]:
    """What `app` answers a request whose body nobody may read."""
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    await app({"type": "http", "path": path, "headers": [], "method": "POST"}, never, send)
    return sent


async def begun(app: Admission, held: Held, path: str = "/match") -> "asyncio.Task[list[Message]]":
    """A request that has reached `held`."""
    count = len(held.paths)
    task = asyncio.create_task(asked(app, path))
    while len(held.paths) == count and not task.done():
        await asyncio.sleep(0)
    assert held.paths[count:] == [path]
    return task


def test_one_request_too_many_is_refused_with_its_body_unread_and_the_others_are_served() -> None:
    async def run() -> None:
        held = Held()
        app = Admission(held, 2, refuse)
        tasks = [await begun(app, held), await begun(app, held)]
        start, body = await asked(app, "/compare")
        assert start["status"] == 503
        assert body["body"].decode() == f"/compare: OVERLOADED: {MESSAGE}"
        held.go.set()
        await asyncio.gather(*tasks)
        assert held.paths == ["/match", "/match"]

    asyncio.run(run())


@pytest.mark.parametrize("ending", ["answer", "fault", "cancellation"])
def test_a_place_is_free_again_however_its_request_ended(ending: str) -> None:
    async def run() -> None:
        held = Held(RuntimeError("broken") if ending == "fault" else None)
        app = Admission(held, 1, refuse)
        for _ in range(3):
            held.go.clear()
            task = await begun(app, held)
            assert await asked(app) != []
            if ending == "cancellation":
                task.cancel()
            held.go.set()
            [end] = await asyncio.gather(task, return_exceptions=True)
            assert isinstance(end, {"answer": list, "fault": RuntimeError}.get(ending, asyncio.CancelledError))

    asyncio.run(run())


def test_what_is_refused_takes_no_place() -> None:
    async def run() -> None:
        held = Held()
        app = Admission(held, 1, refuse)
        task = await begun(app, held)
        for _ in range(3):
            await asked(app)
        held.go.set()
        await task
        assert await asked(app) == []

    asyncio.run(run())


@pytest.mark.parametrize("path", sorted(ALWAYS | WATCHING))
def test_what_tells_how_the_service_is_neither_waits_for_a_place_nor_takes_one(path: str) -> None:
    async def run() -> None:
        held = Held()
        app = Admission(held, 1, refuse)
        tasks = [await begun(app, held, each) for each in (path, path, "/match", path)]
        held.go.set()
        assert await asyncio.gather(*tasks) == [[], [], [], []]

    asyncio.run(run())


def test_what_is_not_http_passes() -> None:
    seen: list[Any] = []

    async def inner(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(scope)

    scope = {"type": "lifespan"}
    asyncio.run(Admission(inner, 1, refuse)(scope, None, None))  # type: ignore[arg-type]
    assert seen == [scope]


def test_the_whole_app_refuses_in_each_contracts_form_and_says_when_to_try_again() -> None:
    """One request is held in the detector while all others are asked."""
    forms: dict[str, Any] = {
        "/match": {"success": False, "error": MESSAGE},
        "/compare": {"detail": MESSAGE},
        "/mediapipe": {"detail": MESSAGE},
        "/add_face": {"detail": MESSAGE},
        "/detect-face": {"error": MESSAGE},
        "/api/v1/extract-embedding": {"detail": {"code": "OVERLOADED", "message": MESSAGE}},
        "/v1/verify": {"error": {"code": "OVERLOADED", "message": MESSAGE, "details": {}}, "request_id": "caller-17"},
    }
    inside, go = asyncio.Event(), asyncio.Event()

    async def detect(photos: Sequence[bytes], crops: Sequence[CropSpec], pick: Pick) -> Detection:
        inside.set()
        await go.wait()
        return await FakeDetector(photo(), photo())(photos, crops, pick)

    async def run() -> None:
        app = create_app(service(stages(detect), LimitArgs(max_requests=1)))
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as session:
            first = asyncio.create_task(session.post("/match", json=PAIR))
            await inside.wait()
            for path, form in forms.items():
                response = await session.post(path, content=b"{}", headers={"x-request-id": "caller-17"})
                assert response.status_code == 503
                assert response.json() == form
                assert response.headers["retry-after"] == "1"
                assert response.headers["server-timing"].startswith("total;dur=")
            for path in ALWAYS:
                assert (await session.get(path, follow_redirects=True)).status_code == 200
            go.set()
            assert (await first).status_code == 200
            assert (await session.get("/v1/models")).status_code == 200

    asyncio.run(run())


def test_every_path_that_is_always_answered_is_a_route() -> None:
    for path in ALWAYS:
        assert client().get(path).status_code == 200
