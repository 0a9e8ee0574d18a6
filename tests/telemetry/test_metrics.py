"""What is counted of a request, and with which labels."""

from typing import Any

import pytest

from telemetry import metrics
from telemetry.answered_request import AnsweredRequest
from telemetry.metrics import Metrics
from telemetry.timing import Call, Recorder, Timed

Labels = dict[str, str]


class Kept:
    """A metric that keeps what it is told, by its name."""

    told: list[tuple[str, float, Labels]]

    def __init__(self, name: str, description: str, *more: Any) -> None:
        self._name, self._keys = name, set(more[-1])
        assert description.endswith(".")

    def inc(self, value: float, labels: Labels) -> None:
        assert labels.keys() == self._keys
        Kept.told.append((self._name.removeprefix("facegraph_"), value, labels))

    observe = inc


@pytest.fixture(autouse=True)
def _kept(monkeypatch: pytest.MonkeyPatch) -> None:
    Kept.told = []
    monkeypatch.setattr(metrics, "Counter", Kept)
    monkeypatch.setattr(metrics, "Histogram", Kept)


def told(did: Recorder, code: str = "", status: int = 200) -> list[tuple[str, float, Labels]]:
    """What is recorded of a request of half a second."""
    Metrics()(AnsweredRequest("POST", "/match", status, code, 0.5, did))
    return Kept.told


def test_a_request_is_counted_by_its_route_status_and_code() -> None:
    assert told(Recorder(0.0), "TIMEOUT", 503) == [
        ("requests_total", 1, {"method": "POST", "route": "/match", "status": "503", "code": "TIMEOUT"}),
        ("request_duration_seconds", 0.5, {"method": "POST", "route": "/match"}),
    ]


def test_a_call_of_a_stage_is_told_with_its_replicas_own_time() -> None:
    did, stage = Recorder(0.0), {"stage": "detector", "role": "mtcnn"}
    did.calls.append(Call("detector", "mtcnn", 1.0, 1.5, Timed(None, 0.375, {"decode": 0.25}), size=2))
    assert told(did)[2:] == [
        ("stage_call_duration_seconds", 0.5, stage),
        ("stage_work_duration_seconds", 0.375, stage),
        ("stage_wait_duration_seconds", 0.125, stage),
        ("stage_step_duration_seconds", 0.25, {**stage, "step": "decode"}),
        ("stage_batch_size", 2, stage),
    ]


def test_a_call_that_failed_twice_is_a_retry_and_a_failure() -> None:
    did, stage = Recorder(0.0), {"stage": "gallery", "role": "find"}
    did.calls.append(Call("gallery", "find", 1.0, 1.5, failure="ActorDiedError", repeated=True))
    assert told(did)[2:] == [
        ("stage_call_duration_seconds", 0.5, stage),
        ("stage_failures_total", 1, {**stage, "error": "ActorDiedError"}),
        ("stage_retries_total", 1, stage),
    ]


def test_outcomes_are_counted_each_under_its_own_name() -> None:
    did = Recorder(0.0)
    did.outcomes.update(
        {
            ("photo", "decoded"): 2,
            ("face", "found"): 3,
            ("liveness", "spoof"): 1,
            ("liveness", "live"): 0,
            ("enrolment", "already"): 1,
            ("match", "no_match"): 1,
        }
    )
    assert told(did)[2:] == [
        ("photos_total", 2, {"outcome": "decoded"}),
        ("faces_total", 3, {"outcome": "found"}),
        ("liveness_verdicts_total", 1, {"outcome": "spoof"}),
        ("enrolments_total", 1, {"outcome": "already"}),
        ("matches_total", 1, {"route": "/match", "verdict": "no_match"}),
    ]
