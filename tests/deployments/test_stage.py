"""Calling a stage: what its failures become."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from ray.exceptions import ActorDiedError, ActorUnavailableError, RayActorError, RayTaskError
from ray.serve._private.common import DeploymentID
from ray.serve.exceptions import BackPressureError, DeploymentUnavailableError

from deployments import stage
from deployments.stage import StageCaller
from imaging.refused import Refused
from tests.fakes import serve_log


def caller(answer: Any) -> StageCaller:
    """A caller of a stage with the methods detect and ready, which answer `answer` or raise it."""

    async def remote(*args: Any) -> Any:
        if isinstance(answer, Exception):
            raise answer
        return (answer, *args)

    handle: Any = SimpleNamespace(detect=SimpleNamespace(remote=remote), ready=SimpleNamespace(remote=remote))
    return StageCaller("mtcnn", handle)


def test_a_call_reaches_the_method_with_its_arguments() -> None:
    assert asyncio.run(caller("found").call("detect", b"photo", 2)) == ("found", b"photo", 2)


@pytest.mark.parametrize(
    "error",
    [
        BackPressureError(num_queued_requests=65, max_queued_requests=64),
        DeploymentUnavailableError(DeploymentID("detector-mtcnn", "facegraph")),
        RayActorError(),
        ActorDiedError(),
        ActorUnavailableError("it restarts", None),
    ],
    ids=lambda error: type(error).__name__,
)
def test_a_stage_that_cannot_take_the_call_is_unavailable(error: Exception) -> None:
    with serve_log() as log, pytest.raises(Refused) as caught:
        asyncio.run(caller(error).call("detect"))
    assert caught.value.code == "UNAVAILABLE"
    assert caught.value.message == "The stage mtcnn is not available; try again shortly"
    assert caught.value.__cause__ is error
    [record] = log
    assert record.levelname == "WARNING"
    assert "mtcnn" in record.getMessage()
    assert type(error).__name__ in record.getMessage()


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("broken"),
        TimeoutError("slow"),
        RayTaskError("detect", "a traceback", ValueError("broken")),  # type: ignore[no-untyped-call]
        Refused("INVALID_IMAGE", "It is damaged"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_a_fault_inside_the_method_passes_as_it_is(error: Exception) -> None:
    with serve_log() as log, pytest.raises(type(error)) as caught:
        asyncio.run(caller(error).call("detect"))
    assert caught.value is error
    assert log == []


def test_a_call_that_is_cancelled_is_cancelled() -> None:
    async def forever() -> None:
        await asyncio.Event().wait()

    handle: Any = SimpleNamespace(detect=SimpleNamespace(remote=forever))

    async def run() -> None:
        async with asyncio.timeout(0.01):
            await StageCaller("mtcnn", handle).call("detect")

    with pytest.raises(TimeoutError):
        asyncio.run(run())


def test_a_stage_that_answers_is_ready() -> None:
    with serve_log() as log:
        assert asyncio.run(caller(None).ready()) is True
    assert log == []


@pytest.mark.parametrize("error", [RayActorError(), RuntimeError("broken")], ids=["died", "broken"])
def test_a_stage_that_fails_is_not_ready_and_the_log_says_why(error: Exception) -> None:
    with serve_log() as log:
        assert asyncio.run(caller(error).ready()) is False
    [record] = log
    assert "mtcnn" in record.getMessage()
    assert repr(error) in record.getMessage()


def test_a_stage_that_does_not_answer_in_time_is_not_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    async def forever() -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(stage, "READY_TIMEOUT_S", 0.01)
    handle: Any = SimpleNamespace(ready=SimpleNamespace(remote=forever))
    with serve_log() as log:
        assert asyncio.run(StageCaller("mtcnn", handle).ready()) is False
    assert len(log) == 1
