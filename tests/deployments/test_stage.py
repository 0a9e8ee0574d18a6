"""Calling a stage: what its failures become, and what is recorded of it."""

import asyncio
from contextlib import suppress
from types import SimpleNamespace
from typing import Any

import pytest
from ray.exceptions import ActorDiedError, ActorUnavailableError, RayActorError, RayTaskError
from ray.serve._private.common import DeploymentID
from ray.serve.exceptions import BackPressureError, DeploymentUnavailableError

from deployments import stage
from deployments.stage import Caller
from imaging.refused import Refused
from telemetry.request_record import TimedAnswer, recording
from tests.fakes import serve_log


def caller(ask: Any = None, *, repeatable: bool = True) -> Caller:
    """A caller of a stage called mtcnn."""
    return Caller("detector", "mtcnn", "detector-mtcnn", ask, repeatable=repeatable)


def asking(answer: Any) -> Any:
    """A call that returns `answer` or raises it."""

    async def ask() -> Any:
        if isinstance(answer, BaseException):
            raise answer
        return answer

    return ask


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
        asyncio.run(caller().call(asking(error)))
    assert caught.value.code == "UNAVAILABLE"
    assert caught.value.message == "The stage mtcnn is not available; try again shortly"
    assert caught.value.__cause__ is error
    for record in log:
        assert record.levelname == "WARNING"
        assert "mtcnn" in record.getMessage()
        assert type(error).__name__ in record.getMessage()
    # Of a replica that died another one was asked first.
    assert len(log) == 1 + isinstance(error, RayActorError)


@pytest.mark.parametrize(("deaths", "repeatable", "calls"), [(1, True, 2), (2, True, 2), (1, False, 1)])
def test_a_call_whose_replica_died_is_repeated_once_unless_it_changes_something(
    deaths: int, repeatable: bool, calls: int
) -> None:
    made: list[None] = []

    async def ask() -> str:
        made.append(None)
        if len(made) <= deaths:
            raise ActorUnavailableError("it was killed", None)
        return "found"

    call = caller(repeatable=repeatable).call(ask)
    if calls > deaths:
        assert asyncio.run(call) == "found"
    else:
        with pytest.raises(Refused, match="UNAVAILABLE"):
            asyncio.run(call)
    assert len(made) == calls


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
        asyncio.run(caller().call(asking(error)))
    assert caught.value is error
    assert log == []


def test_a_call_that_is_cancelled_is_cancelled() -> None:
    async def run() -> None:
        async with asyncio.timeout(0.01):
            await caller().call(asyncio.Event().wait)

    with pytest.raises(TimeoutError):
        asyncio.run(run())


@pytest.fixture
def _clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """A clock that reads 1 s when a call begins, and 1.25 s when it ends."""
    monkeypatch.setattr(stage, "time", SimpleNamespace(perf_counter=iter([1.0, 1.25]).__next__))


def recorded(answer: Any, **options: Any) -> str:
    """The timing of a request that began at 0.5 s, made one call, and was answered at 2 s."""
    with recording(0.5) as recorder:
        with suppress(Exception, asyncio.CancelledError):
            asyncio.run(caller().call(asking(answer), **options))
        return recorder.header(2.0)


def test_a_replicas_own_time_is_taken_off_its_answer() -> None:
    assert asyncio.run(caller().call(asking(TimedAnswer("found", 0.1)))) == "found"


@pytest.mark.usefixtures("_clock")
def test_a_call_is_recorded_with_the_replicas_own_time() -> None:
    assert recorded(TimedAnswer("found", 0.125, {"decode": 0.0625})).split(", ") == [
        "total;dur=1500.0",
        "ingress;dur=1250.0",
        'detector;desc="mtcnn";dur=250.0',
        "detector-busy;dur=125.0",
        "decode;dur=62.5",
    ]


@pytest.mark.usefixtures("_clock")
@pytest.mark.parametrize(
    "answer",
    ["found", RuntimeError("broken"), RayActorError(), asyncio.CancelledError()],
    ids=lambda each: type(each).__name__,
)
def test_a_call_without_such_an_answer_is_recorded_too(answer: Any) -> None:
    assert recorded(answer) == 'total;dur=1500.0, ingress;dur=1250.0, detector;desc="mtcnn";dur=250.0'


@pytest.mark.usefixtures("_clock")
def test_a_call_is_recorded_by_its_label_where_it_has_one() -> None:
    assert recorded("found", label="find").endswith('detector;desc="find";dur=250.0')


@pytest.mark.parametrize("fails", [False, True])
def test_a_call_is_ongoing_until_it_ends_and_then_recent(fails: bool) -> None:
    ongoing, called = list[int](), caller()

    async def ask() -> None:
        ongoing.append(called.calls.statistics.ongoing)
        if fails:
            raise RuntimeError("broken")

    with suppress(RuntimeError):
        asyncio.run(called.call(ask))
    assert ongoing == [1]
    assert (called.calls.statistics.ongoing, called.calls.statistics.recent) == (0, 1)


def test_what_a_stage_refuses_is_raised() -> None:
    with pytest.raises(Refused, match="NO"):
        asyncio.run(caller().call(asking(Refused("NO", "No"))))

    async def returned() -> Any:
        return Refused("NO", "No")

    with pytest.raises(Refused, match="NO"):
        asyncio.run(caller().call(returned))


def test_a_stage_whose_files_are_gone_is_not_ready() -> None:
    stage = caller(asking(OSError("its files are gone")))
    with serve_log() as log:
        asyncio.run(stage.readiness.look())
    assert stage.ready() is False
    assert "its files are gone" in log[0].getMessage()
