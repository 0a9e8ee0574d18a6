"""Readiness of a stage, judged by its answers to `ready` and to other calls."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import SimpleNamespace

import pytest
from ray.exceptions import ActorDiedError
from ray.serve.exceptions import BackPressureError

from deployments import readiness
from deployments.readiness import Readiness, first_looks
from deployments.stage import Caller
from project.request_error import RequestError
from tests.deployments.handles import Answers
from tests.waiting import eventually

DIED, FULL = ActorDiedError(), BackPressureError(num_queued_requests=65, max_queued_requests=64)


@pytest.fixture(autouse=True)
def _short_times(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, seconds in (("MAX_SILENCE_S", 0.1), ("PERIOD_S", 0.01), ("SOON_S", 0.01)):
        monkeypatch.setattr(readiness, name, seconds)


@asynccontextmanager
async def watching(*stages: Readiness) -> AsyncIterator[None]:
    tasks = [asyncio.create_task(each.watch()) for each in stages]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()


@pytest.mark.parametrize("error", [DIED, FULL, RuntimeError("its files are gone")])
async def test_failing_stage_is_not_ready_and_each_new_cause_is_logged_once(
    error: Exception, log: list[logging.LogRecord]
) -> None:
    stage = Readiness("detector mtcnn", Answers(error, error, error, error, OSError()))
    for _ in range(6):
        await stage.look()
    assert stage.ready is False
    messages = [f"the stage detector mtcnn is not ready: {each!r}" for each in (error, OSError())]
    assert [record.getMessage() for record in log] == messages


async def test_another_replica_is_asked_when_one_died() -> None:
    stage = Readiness("detector mtcnn", Answers(DIED, None, DIED, DIED, None))
    for is_ready in (True, False, True):
        await stage.look()
        assert stage.ready is is_ready


async def test_silent_stage_is_not_ready_until_it_answers(log: list[logging.LogRecord]) -> None:
    hanging = asyncio.Event()
    asked = Answers(None, hanging, None)
    stage = Readiness("detector mtcnn", asked)
    async with watching(stage):
        await eventually(lambda: stage.ready)
        await eventually(lambda: not stage.ready)
        # Further questions do not pile up behind the one that waits.
        assert asked.calls == 2
        hanging.set()
        await eventually(lambda: stage.ready)
    assert "no response" in log[0].getMessage()


@pytest.mark.parametrize("question", ["waits", "is refused"])
async def test_busy_stage_stays_ready_while_it_answers_calls(question: str, monkeypatch: pytest.MonkeyPatch) -> None:
    now = SimpleNamespace(seconds=0.0)
    monkeypatch.setattr(readiness, "time", SimpleNamespace(monotonic=lambda: now.seconds))
    asked = Answers(None, asyncio.Event() if question == "waits" else FULL)
    stage, verdicts = Readiness("detector mtcnn", asked), set[bool]()
    async with watching(stage):
        await eventually(lambda: stage.ready)
        for _ in range(20):
            now.seconds += readiness.MAX_SILENCE_S / 2
            stage.answered()
            await asyncio.sleep(0.02)
            verdicts.add(stage.ready)
        assert verdicts == {True}
        assert asked.calls >= 2
        now.seconds += readiness.MAX_SILENCE_S
        await eventually(lambda: not stage.ready)


async def test_only_successful_calls_count_as_answers() -> None:
    stage, detect = Caller("detector", "mtcnn", "detector-mtcnn", Answers(FULL)), Answers(DIED, DIED, None)
    with pytest.raises(RequestError, match="UNAVAILABLE"):
        await stage.call(detect)
    await stage.readiness.look()
    assert stage.ready() is False
    await stage.call(detect)
    await stage.readiness.look()
    assert stage.ready() is True


async def test_first_looks_are_awaited_for_a_limited_time() -> None:
    causes = (None, RuntimeError("broken"), asyncio.Event())
    answering, failing, silent = (Readiness("detector", Answers(answer)) for answer in causes)
    async with watching(answering, failing, silent):
        await first_looks([answering, failing], 10)
        assert (answering.ready, failing.ready) == (True, False)
        await first_looks([answering, silent], 0.01)
        assert not silent.looked.is_set()
