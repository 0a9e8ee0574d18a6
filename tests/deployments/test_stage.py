"""Calls of a stage: how their failures are reported, and what is recorded."""

import asyncio
from contextlib import suppress
from types import SimpleNamespace
from typing import Any

import pytest
from ray.exceptions import ActorDiedError, RayActorError, RayTaskError
from ray.serve._private.common import DeploymentID
from ray.serve.exceptions import BackPressureError, DeploymentUnavailableError

from deployments import stage
from deployments.stage import Caller
from project.request_error import RequestError
from telemetry.call_window import CallWindow
from telemetry.request_record import TimedAnswer, recording
from tests.deployments.handles import Answers
from tests.fakes import serve_log


def caller() -> Caller:
    """A caller of the stage mtcnn."""

    async def ready() -> None: ...

    return Caller("detector", "mtcnn", "detector-mtcnn", ready)


@pytest.mark.parametrize(
    "error",
    [
        BackPressureError(num_queued_requests=65, max_queued_requests=64),
        DeploymentUnavailableError(DeploymentID("detector-mtcnn", "facegraph")),
        RayActorError(),
        ActorDiedError(),
    ],
    ids=lambda error: type(error).__name__,
)
async def test_stage_without_a_replica_for_the_call_is_unavailable(error: Exception) -> None:
    with serve_log() as log, pytest.raises(RequestError) as caught:
        await caller().call(Answers(error, error))
    assert (caught.value.code, caught.value.__cause__) == ("UNAVAILABLE", error)
    assert caught.value.message == "The stage mtcnn is not available; try again shortly"
    # A call whose replica died is repeated first.
    assert len(log) == 1 + isinstance(error, RayActorError)
    assert all("mtcnn" in record.getMessage() and repr(error) in record.getMessage() for record in log)


@pytest.mark.parametrize("deaths", [1, 2])
async def test_call_is_repeated_once(deaths: int) -> None:
    answers = Answers(*[ActorDiedError()] * deaths, "found")
    with serve_log(), suppress(RequestError):
        assert await caller().call(answers) == "found"
    assert answers.calls == 2


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("broken"),
        RayTaskError("detect", "a traceback", ValueError("broken")),  # type: ignore[no-untyped-call]
        RequestError("INVALID_IMAGE", "It is damaged"),
    ],
    ids=lambda error: type(error).__name__,
)
async def test_error_or_returned_refusal_of_the_stage_is_raised_unchanged(error: Exception) -> None:
    async def ask() -> Any:
        if isinstance(error, RequestError):
            return error
        raise error

    with serve_log() as log, pytest.raises(type(error)) as caught:
        await caller().call(ask)
    assert (caught.value, log) == (error, [])


DURATIONS = 'total;dur=1500.0, ingress;dur=1250.0, detector;desc="mtcnn";dur=250.0'


@pytest.mark.parametrize(
    ("answer", "label", "header"),
    [
        (TimedAnswer("found", 0.125, {"decode": 0.0625}), "", f"{DURATIONS}, detector-busy;dur=125.0, decode;dur=62.5"),
        ("found", "find", DURATIONS.replace("mtcnn", "find")),
        (RuntimeError("broken"), "", DURATIONS),
        (BackPressureError(num_queued_requests=65, max_queued_requests=64), "", DURATIONS),
        (asyncio.CancelledError(), "", DURATIONS),
    ],
    ids=["timed", "labelled", "broken", "refused", "cancelled"],
)
async def test_every_call_is_recorded(answer: Any, label: str, header: str, monkeypatch: pytest.MonkeyPatch) -> None:
    # The request begins at 0.5 s and is answered at 2 s; its call lasts from 1 s to 1.25 s.
    monkeypatch.setattr(stage, "time", SimpleNamespace(perf_counter=iter([1.0, 1.25]).__next__))
    ongoing, called, answers = list[int](), caller(), Answers(answer)
    called.calls = CallWindow(lambda: 2.0)

    async def ask() -> Any:
        ongoing.append(called.calls.statistics.ongoing)
        return await answers()

    with serve_log(), recording(0.5) as recorder:
        with suppress(Exception, asyncio.CancelledError):
            assert await called.call(ask, label=label) == "found"
        assert recorder.header(2.0) == header
    assert (ongoing, called.calls.statistics.ongoing, called.calls.statistics.recent) == ([1], 0, 1)
