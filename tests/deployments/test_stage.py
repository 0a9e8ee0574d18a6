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
from deployments.stage import Inside, StageCaller
from imaging.refused import Refused
from telemetry.timing import Timed, recording
from tests.fakes import serve_log


def caller(answer: Any) -> StageCaller:
    """A caller of a stage with the method detect, which answers `answer` or raises it."""

    async def remote(*args: Any) -> Any:
        if isinstance(answer, Exception):
            raise answer
        return answer if isinstance(answer, Timed) else (answer, *args)

    handle: Any = SimpleNamespace(detect=SimpleNamespace(remote=remote))
    return StageCaller("detector", "mtcnn", handle)


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
    for record in log:
        assert record.levelname == "WARNING"
        assert "mtcnn" in record.getMessage()
        assert type(error).__name__ in record.getMessage()
    # Of a replica that died another one was asked first.
    assert len(log) == 1 + isinstance(error, RayActorError)


def dying(times: int, *, repeatable: bool = True) -> tuple[StageCaller, list[bytes]]:
    """A caller of a stage whose replicas die under the first calls, and what they were asked."""
    asked: list[bytes] = []

    async def remote(photo: bytes) -> str:
        asked.append(photo)
        if len(asked) <= times:
            raise ActorUnavailableError("it was killed", None)
        return "found"

    handle: Any = SimpleNamespace(detect=SimpleNamespace(remote=remote))
    return StageCaller("detector", "mtcnn", handle, repeatable=repeatable), asked


def test_a_call_whose_replica_died_is_made_once_more() -> None:
    stage, asked = dying(1)
    assert asyncio.run(stage.call("detect", b"photo")) == "found"
    assert asked == [b"photo", b"photo"]


def test_a_call_is_made_twice_at_most() -> None:
    stage, asked = dying(2)
    with pytest.raises(Refused, match="UNAVAILABLE"):
        asyncio.run(stage.call("detect", b"photo"))
    assert len(asked) == 2


def test_a_call_that_changes_something_is_made_once() -> None:
    stage, asked = dying(1, repeatable=False)
    with pytest.raises(Refused, match="UNAVAILABLE"):
        asyncio.run(stage.call("detect", b"photo"))
    assert len(asked) == 1


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
            await StageCaller("detector", "mtcnn", handle).call("detect")

    with pytest.raises(TimeoutError):
        asyncio.run(run())


@pytest.fixture
def _clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """A clock that reads 1 s when a call begins, and 1.25 s when it ends."""
    monkeypatch.setattr(stage, "time", SimpleNamespace(perf_counter=iter([1.0, 1.25]).__next__))


def recorded(of: StageCaller, **options: Any) -> str:
    """The timing of a request that began at 0.5 s, called `of` once, and was answered at 2 s."""
    with recording(0.5) as recorder:
        with suppress(Exception):
            asyncio.run(of.call("detect", **options))
        return recorder.header(2.0)


def test_a_replicas_own_time_is_taken_off_its_answer() -> None:
    assert asyncio.run(caller(Timed("found", 0.1)).call("detect")) == "found"


@pytest.mark.usefixtures("_clock")
def test_a_call_is_recorded_with_the_replicas_own_time() -> None:
    assert recorded(caller(Timed("found", 0.125, {"decode": 0.0625}))).split(", ") == [
        "total;dur=1500.0",
        "ingress;dur=1250.0",
        'detector;desc="mtcnn";dur=250.0',
        "detector-busy;dur=125.0",
        "decode;dur=62.5",
    ]


@pytest.mark.usefixtures("_clock")
@pytest.mark.parametrize("answer", ["found", RuntimeError("broken"), RayActorError()], ids=["untimed", "fault", "died"])
def test_a_call_without_such_an_answer_is_recorded_too(answer: Any) -> None:
    assert recorded(caller(answer)) == 'total;dur=1500.0, ingress;dur=1250.0, detector;desc="mtcnn";dur=250.0'


@pytest.mark.parametrize("fails", [False, True])
def test_a_call_is_ongoing_until_it_ends_and_then_recent(fails: bool) -> None:
    ongoing: list[int] = []

    async def remote() -> None:
        ongoing.append(called.calls.statistics.ongoing)
        if fails:
            raise RuntimeError("broken")

    handle: Any = SimpleNamespace(detect=SimpleNamespace(remote=remote))
    called = StageCaller("detector", "mtcnn", handle)
    with suppress(RuntimeError):
        asyncio.run(called.call("detect"))
    assert ongoing == [1]
    assert (called.calls.statistics.ongoing, called.calls.statistics.recent) == (0, 1)


@pytest.mark.usefixtures("_clock")
def test_a_call_that_is_cancelled_is_recorded_too() -> None:
    async def cancelled() -> None:
        raise asyncio.CancelledError

    handle: Any = SimpleNamespace(detect=SimpleNamespace(remote=cancelled))
    with recording(0.5) as recorder, pytest.raises(asyncio.CancelledError):
        asyncio.run(StageCaller("detector", "mtcnn", handle).call("detect"))
    assert 'detector;desc="mtcnn";dur=250.0' in recorder.header(2.0)


@pytest.mark.usefixtures("_clock")
def test_a_call_is_recorded_by_its_label_where_it_has_one() -> None:
    assert recorded(caller("found"), label="find").endswith('detector;desc="find";dur=250.0')


def test_what_a_method_refuses_is_raised() -> None:
    async def remote() -> Any:
        return Refused("NO", "No")

    handle: Any = SimpleNamespace(call=SimpleNamespace(remote=remote))
    with pytest.raises(Refused, match="NO"):
        asyncio.run(StageCaller("gallery", "gallery", handle).call("call"))


def test_a_stage_inside_is_asked_as_a_handle_is() -> None:
    class Stage:
        async def detect(self, photo: bytes, *, whole: bool) -> Any:
            return Timed(("found", photo, whole), 0.25)

        async def ready(self) -> None:
            raise OSError("its files are gone")

    inside = StageCaller("detector", "mtcnn", Inside(Stage()))
    with recording(0.0) as recorder:
        assert asyncio.run(inside.call("detect", b"photo", whole=True)) == ("found", b"photo", True)
    assert 'detector;desc="mtcnn"' in recorder.header(1.0)
    assert "detector-busy;dur=250.0" in recorder.header(1.0)
    with serve_log() as log:
        asyncio.run(inside.readiness.look())
    assert inside.ready() is False
    assert "its files are gone" in log[0].getMessage()
