"""How long a request may take, and that the work it waits for is cancelled."""

import asyncio
from typing import Any

import pytest
from starlette.types import Receive, Scope, Send

from api.deadline import Deadline
from api.settings import LimitArgs
from tests.api.asgi import ask, refuse
from tests.fakes import client, stages


async def hang(*args: Any, **options: Any) -> Any:
    await asyncio.Event().wait()


async def test_a_request_that_takes_too_long_is_cancelled() -> None:
    cancelled = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await hang()
        except asyncio.CancelledError:
            cancelled.append(True)
            raise

    start, body = await ask(Deadline(app, 0.02, refuse))
    assert start["status"] == 503
    assert body["body"] == b"/match: TIMEOUT: The request timed out after 0.02 seconds"
    assert cancelled == [True]


async def test_a_clean_up_and_an_import_may_take_long() -> None:
    async def slow(scope: Scope, receive: Receive, send: Send) -> None:
        await asyncio.sleep(0.05)
        await send({"type": "http.response.start", "status": 200, "headers": []})

    for path in ("/v1/gallery/clean", "/v1/collections/staff/import"):
        [start] = await ask(Deadline(slow, 0.01, refuse), path=path)
        assert start["status"] == 200


async def test_another_timeout_is_a_fault_like_any_other() -> None:
    async def failing(scope: Scope, receive: Receive, send: Send) -> None:
        raise TimeoutError("inside")

    with pytest.raises(TimeoutError, match="inside"):
        await ask(Deadline(failing, 60, refuse))


async def test_an_answer_that_has_begun_is_not_followed_by_another() -> None:
    async def slow(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await hang()

    with pytest.raises(TimeoutError):
        await ask(Deadline(slow, 0.02, refuse))


def test_the_app_gives_up_after_the_time_of_its_settings() -> None:
    asked = client(stages(hang), LimitArgs(request_timeout=0.05))
    response = asked.post("/match", json={"image1": "QUJD", "image2": "QUJD"})
    assert response.status_code == 503
    assert response.json()["error"] == "The request timed out after 0.05 seconds"
