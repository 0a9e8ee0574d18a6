"""How many requests run at once, and that the next one is refused."""

import asyncio

import httpx
import pytest
from starlette.types import Message, Receive, Scope, Send

from api.admission import ALWAYS, WATCHING, Admission
from api.app import create_app
from api.settings import LimitArgs
from graphs.stages import DetectionRequest
from imaging.faces import Detection
from tests.api.asgi import ask, refuse
from tests.fakes import FakeDetector, photo, service, stages
from tests.waiting import TIMEOUT_S

MESSAGE = "The service has reached its limit of concurrent requests; try again shortly"


class Held:
    """An ASGI app whose requests wait for `go`, then end with `fault` if there is one."""

    def __init__(self, fault: Exception | None = None) -> None:
        self.go = asyncio.Event()
        self.fault = fault
        self.paths: list[str] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.paths.append(scope["path"])
        async with asyncio.timeout(TIMEOUT_S):
            await self.go.wait()
        if self.fault:
            raise self.fault


async def begun(app: Admission, path: str = "/match") -> "asyncio.Task[list[Message]]":
    """A request that waits inside `app`, or has been refused."""
    task = asyncio.create_task(ask(app, path=path))
    await asyncio.sleep(0)
    return task


async def test_one_request_too_many_is_refused_unread_and_takes_no_place() -> None:
    held = Held()
    app = Admission(held, 2, refuse)
    tasks = [await begun(app), await begun(app)]
    for _ in range(3):
        start, body = await ask(app, path="/compare")
        assert (start["status"], body["body"].decode()) == (503, f"/compare: OVERLOADED: {MESSAGE}")
    held.go.set()
    await asyncio.gather(*tasks)
    assert await ask(app) == []
    assert held.paths == ["/match"] * 3


@pytest.mark.parametrize("ending", ["answer", "fault", "cancellation"])
async def test_a_place_is_free_again_however_its_request_ended(ending: str) -> None:
    held = Held(RuntimeError("broken") if ending == "fault" else None)
    app = Admission(held, 1, refuse)
    for _ in range(2):
        held.go.clear()
        task = await begun(app)
        assert not task.done()
        if ending == "cancellation":
            task.cancel()
        held.go.set()
        [end] = await asyncio.gather(task, return_exceptions=True)
        assert isinstance(end, {"answer": list, "fault": RuntimeError}.get(ending, asyncio.CancelledError))


@pytest.mark.parametrize("path", sorted(ALWAYS | WATCHING))
async def test_a_request_for_the_services_state_neither_waits_for_a_place_nor_takes_one(path: str) -> None:
    held = Held()
    app = Admission(held, 1, refuse)
    tasks = [await begun(app, each) for each in (path, path, "/match", path)]
    assert held.paths == [path, path, "/match", path]
    held.go.set()
    assert await asyncio.gather(*tasks) == [[], [], [], []]


async def test_the_app_admits_as_many_as_its_settings_say() -> None:
    inside, go = asyncio.Event(), asyncio.Event()

    async def detect(question: DetectionRequest) -> Detection:
        inside.set()
        await go.wait()
        return await FakeDetector(photo())(question)

    app = create_app(service(stages(detect), LimitArgs(max_requests=1)))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as session:
        first = asyncio.create_task(session.post("/v1/detect", files={"photo": b"a"}))
        await inside.wait()
        response = await session.post("/match", json={})
        assert (response.status_code, response.json()["error"]) == (503, MESSAGE)
        go.set()
        assert (await first).status_code == 200
