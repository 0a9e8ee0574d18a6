"""When a stage is ready: by what it answers, and by what its calls were answered."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from ray.exceptions import ActorDiedError, RayActorError
from ray.serve._private.common import DeploymentID
from ray.serve.exceptions import BackPressureError, DeploymentUnavailableError

from deployments import readiness
from deployments.readiness import Readiness, first_looks
from deployments.stage import StageCaller
from imaging.refused import Refused
from tests.fakes import serve_log

FULL = BackPressureError(num_queued_requests=65, max_queued_requests=64)
AWAY = DeploymentUnavailableError(DeploymentID("detector-mtcnn", "facegraph"))


class Asked:
    """A stage that answers `answers`, one after the other and the last one again; exceptions among them are raised."""

    def __init__(self, *answers: Any) -> None:
        self.times = 0
        self._answers = list(answers)

    async def __call__(self) -> Any:
        self.times += 1
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if isinstance(answer, asyncio.Event):
            await answer.wait()
        if isinstance(answer, Exception):
            raise answer
        return answer


@pytest.fixture(autouse=True)
def _hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readiness, "PATIENCE_S", 0.1)
    monkeypatch.setattr(readiness, "PERIOD_S", 0.01)
    monkeypatch.setattr(readiness, "SOON_S", 0.01)


@asynccontextmanager
async def watching(watched: Readiness) -> AsyncIterator[None]:
    task = asyncio.create_task(watched.watch())
    try:
        yield
    finally:
        task.cancel()


async def until(what: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not what():
            await asyncio.sleep(0.005)


def looked(*answers: Any) -> Readiness:
    """A stage that was asked once."""
    watched = Readiness("detector mtcnn", Asked(*answers))
    asyncio.run(watched.look())
    return watched


def test_a_stage_is_not_ready_until_it_has_answered() -> None:
    assert Readiness("detector mtcnn", Asked(None)).ready is False
    with serve_log() as log:
        watched = looked(["staff"])
    assert (watched.ready, watched.answer) == (True, ["staff"])
    assert log == []


@pytest.mark.parametrize("error", [RayActorError(), AWAY, FULL, RuntimeError("its files are gone")])
def test_a_stage_that_fails_is_not_ready_and_the_log_says_why_once(error: Exception) -> None:
    watched = Readiness("detector mtcnn", Asked(error))
    with serve_log() as log:
        for _ in range(3):
            asyncio.run(watched.look())
    assert watched.ready is False
    [record] = log
    assert "detector mtcnn" in record.getMessage()
    assert repr(error) in record.getMessage()


def test_another_replica_is_asked_where_one_died() -> None:
    assert looked(ActorDiedError(), None).ready is True
    with serve_log():
        assert looked(ActorDiedError(), ActorDiedError(), None).ready is False


def test_a_stage_whose_replicas_die_and_come_back_is_ready_again() -> None:
    async def run() -> None:
        watched = Readiness("detector mtcnn", Asked(None, ActorDiedError(), ActorDiedError(), None))
        seen = []
        for _ in range(3):
            await watched.look()
            seen.append(watched.ready)
        assert seen == [True, False, True]

    with serve_log():
        asyncio.run(run())


def test_a_stage_that_answers_nothing_is_not_ready_until_it_does() -> None:
    async def run() -> None:
        hangs, asked = asyncio.Event(), Asked(None, None)
        asked._answers = [None, hangs]
        watched = Readiness("detector mtcnn", asked)
        async with watching(watched):
            await until(lambda: watched.ready)
            await until(lambda: not watched.ready)
            # One question waits, and no others pile up behind it.
            assert asked.times == 2
            hangs.set()
            await until(lambda: watched.ready)

    with serve_log() as log:
        asyncio.run(run())
    assert "no answer" in log[0].getMessage()


@pytest.mark.parametrize("question", ["waits", "is refused"])
def test_a_stage_that_is_only_busy_stays_ready(question: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its calls are answered all the while, though the question is not."""
    now = 0.0
    monkeypatch.setattr(readiness, "time", SimpleNamespace(monotonic=lambda: now))

    async def run() -> None:
        nonlocal now
        asked = Asked(None, asyncio.Event() if question == "waits" else FULL)

        async def detect() -> str:
            return "found"

        handle: Any = SimpleNamespace(ready=SimpleNamespace(remote=asked), detect=SimpleNamespace(remote=detect))
        stage, verdicts = StageCaller("detector", "mtcnn", handle), set[bool]()
        async with watching(stage.readiness):
            await until(stage.ready)
            for _ in range(40):
                now += readiness.PATIENCE_S / 2
                await stage.call("detect")
                await asyncio.sleep(0.01)
                verdicts.add(stage.ready())
            assert verdicts == {True}
            assert asked.times >= 2
            # Not for ever: the calls end.
            now += readiness.PATIENCE_S
            await until(lambda: not stage.ready())

    with serve_log():
        asyncio.run(run())


def test_the_first_looks_are_waited_for_but_not_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readiness, "PATIENCE_S", 60)

    async def run() -> None:
        slow = asyncio.Event()
        answering, failing, silent = (
            Readiness("detector", Asked(answer)) for answer in (None, RuntimeError("broken"), slow)
        )
        tasks = [asyncio.create_task(each.watch()) for each in (answering, failing, silent)]
        await first_looks([answering, failing], 10)
        assert (answering.ready, failing.ready) == (True, False)
        await first_looks([answering, silent], 0.01)
        assert not silent.looked.is_set()
        slow.set()
        await first_looks([silent], 10)
        assert silent.ready is True
        for task in tasks:
            task.cancel()

    with serve_log():
        asyncio.run(run())


def test_calls_that_fail_are_no_answers() -> None:
    async def run() -> None:
        async def detect() -> Any:
            raise ActorDiedError()

        handle: Any = SimpleNamespace(ready=SimpleNamespace(remote=Asked(FULL)), detect=SimpleNamespace(remote=detect))
        stage = StageCaller("detector", "mtcnn", handle)
        with pytest.raises(Refused, match="UNAVAILABLE"):
            await stage.call("detect")
        await stage.readiness.look()
        assert stage.ready() is False

    with serve_log():
        asyncio.run(run())


def test_the_watch_outlives_every_fault() -> None:
    async def run() -> None:
        asked = Asked(RuntimeError("broken"), OSError("gone"), ValueError("odd"), None)
        watched = Readiness("gallery gallery", asked)
        async with watching(watched):
            await until(lambda: watched.ready)
            await until(lambda: asked.times > 8)

    with serve_log() as log:
        asyncio.run(run())
    assert [record.levelname for record in log if record.levelname == "WARNING"] == ["WARNING"] * 3


def test_the_service_is_ready_once_every_stage_has_answered(service: httpx.Client) -> None:
    assert service.get("/livez").json() == {"status": "alive"}
    answer = service.get("/readyz")
    assert answer.status_code == 200
    assert answer.json()["ready"] is True
    assert set(answer.json()["stages"].values()) == {True}
