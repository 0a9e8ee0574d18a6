"""Readiness of a stage, judged by its answers to `ready` and to other calls."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import SimpleNamespace

import pytest
from ray.exceptions import ActorDiedError
from ray.serve.exceptions import BackPressureError

from deployments import readiness
from deployments.readiness import Readiness, first_looks
from deployments.stage import Caller
from imaging.refused import Refused
from tests.deployments.handles import Answers
from tests.fakes import serve_log
from tests.waiting import eventually

FULL = BackPressureError(num_queued_requests=65, max_queued_requests=64)


@pytest.fixture(autouse=True)
def _short_times(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readiness, "MAX_SILENCE_S", 0.1)
    monkeypatch.setattr(readiness, "PERIOD_S", 0.01)
    monkeypatch.setattr(readiness, "SOON_S", 0.01)


@asynccontextmanager
async def watching(*stages: Readiness) -> AsyncIterator[None]:
    tasks = [asyncio.create_task(each.watch()) for each in stages]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()


def test_stage_is_not_ready_before_its_first_answer() -> None:
    stage = Readiness("detector mtcnn", Answers(["staff"]))
    assert stage.ready is False
    with serve_log() as log:
        asyncio.run(stage.look())
    assert (stage.ready, stage.answer, log) == (True, ["staff"], [])


@pytest.mark.parametrize("error", [ActorDiedError(), FULL, RuntimeError("its files are gone")])
def test_failing_stage_is_not_ready_and_each_new_cause_is_logged_once(error: Exception) -> None:
    stage = Readiness("detector mtcnn", Answers(error, error, error, error, OSError()))
    with serve_log() as log:
        for _ in range(6):
            asyncio.run(stage.look())
    assert stage.ready is False
    causes = [repr(error), repr(OSError())]
    assert [record.getMessage() for record in log] == [
        f"the stage detector mtcnn is not ready: {each}" for each in causes
    ]


def test_another_replica_is_asked_when_one_died() -> None:
    died = ActorDiedError()
    stage = Readiness("detector mtcnn", Answers(died, None, died, died, None))
    with serve_log():
        verdicts = [(asyncio.run(stage.look()), stage.ready)[1] for _ in range(3)]
    assert verdicts == [True, False, True]


def test_silent_stage_is_not_ready_until_it_answers() -> None:
    async def run() -> None:
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

    with serve_log() as log:
        asyncio.run(run())
    assert "no answer" in log[0].getMessage()


@pytest.mark.parametrize("question", ["waits", "is refused"])
def test_busy_stage_stays_ready_while_it_answers_calls(question: str, monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    monkeypatch.setattr(readiness, "time", SimpleNamespace(monotonic=lambda: now))

    async def run() -> None:
        nonlocal now
        asked = Answers(None, asyncio.Event() if question == "waits" else FULL)
        stage, verdicts = Readiness("detector mtcnn", asked), set[bool]()
        async with watching(stage):
            await eventually(lambda: stage.ready)
            for _ in range(20):
                now += readiness.MAX_SILENCE_S / 2
                stage.answered()
                await asyncio.sleep(0.02)
                verdicts.add(stage.ready)
            assert verdicts == {True}
            assert asked.calls >= 2
            now += readiness.MAX_SILENCE_S
            await eventually(lambda: not stage.ready)

    with serve_log():
        asyncio.run(run())


def test_only_successful_calls_count_as_answers() -> None:
    outcomes: list[Exception | None] = [ActorDiedError(), ActorDiedError(), None]

    async def detect() -> None:
        if error := outcomes.pop(0):
            raise error

    async def run() -> None:
        stage = Caller("detector", "mtcnn", "detector-mtcnn", Answers(FULL))
        with pytest.raises(Refused, match="UNAVAILABLE"):
            await stage.call(detect)
        await stage.readiness.look()
        assert stage.ready() is False
        await stage.call(detect)
        await stage.readiness.look()
        assert stage.ready() is True

    with serve_log():
        asyncio.run(run())


def test_first_looks_are_awaited_for_a_limited_time() -> None:
    async def run() -> None:
        answering, failing, silent = (
            Readiness("detector", Answers(answer)) for answer in (None, RuntimeError("broken"), asyncio.Event())
        )
        async with watching(answering, failing, silent):
            await first_looks([answering, failing], 10)
            assert (answering.ready, failing.ready) == (True, False)
            await first_looks([answering, silent], 0.01)
            assert not silent.looked.is_set()

    with serve_log():
        asyncio.run(run())
