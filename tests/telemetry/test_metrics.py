"""What is counted per request, and with which labels."""

from typing import Any

import pytest

from telemetry import metrics
from telemetry.answered_request import AnsweredRequest
from telemetry.metrics import Metrics
from telemetry.request_record import RequestRecord, StageCall, TimedAnswer

Labels = dict[str, str]


class KeptMetric:
    """A metric that keeps its updates."""

    updates: list[tuple[str, float, Labels]]

    def __init__(self, name: str, description: str, *more: Any) -> None:
        self._name, self._keys = name, set(more[-1])

    def inc(self, value: float, labels: Labels) -> None:
        assert labels.keys() == self._keys
        self.updates.append((self._name.removeprefix("facegraph_"), value, labels))

    observe = inc


def updates(monkeypatch: pytest.MonkeyPatch, did: RequestRecord) -> list[tuple[str, float, Labels]]:
    """The updates for a request of half a second."""
    monkeypatch.setattr(KeptMetric, "updates", [], raising=False)
    monkeypatch.setattr(metrics, "Counter", KeptMetric)
    monkeypatch.setattr(metrics, "Histogram", KeptMetric)
    Metrics()(AnsweredRequest("POST", "/match", 503, "TIMEOUT", 0.5, did))
    return KeptMetric.updates


def test_request_is_counted_with_its_outcomes(monkeypatch: pytest.MonkeyPatch) -> None:
    did = RequestRecord(0.0)
    did.outcomes.update({("photo", "decoded"): 2, ("face", "found"): 3, ("liveness", "spoof"): 1})
    did.outcomes.update({("liveness", "live"): 0, ("enrolment", "already"): 1, ("match", "no_match"): 1})
    assert updates(monkeypatch, did) == [
        ("requests_total", 1, {"method": "POST", "route": "/match", "status": "503", "code": "TIMEOUT"}),
        ("request_duration_seconds", 0.5, {"method": "POST", "route": "/match"}),
        ("photos_total", 2, {"outcome": "decoded"}),
        ("faces_total", 3, {"outcome": "found"}),
        ("liveness_verdicts_total", 1, {"outcome": "spoof"}),
        ("enrolments_total", 1, {"outcome": "already"}),
        ("matches_total", 1, {"route": "/match", "verdict": "no_match"}),
    ]


def test_stage_calls_are_counted_with_the_replicas_own_time(monkeypatch: pytest.MonkeyPatch) -> None:
    did = RequestRecord(0.0)
    detector, gallery = {"stage": "detector", "role": "mtcnn"}, {"stage": "gallery", "role": "find"}
    did.calls = [
        StageCall("detector", "mtcnn", 1.0, 1.5, TimedAnswer(None, 0.375, {"decode": 0.25}), size=2),
        StageCall("gallery", "find", 1.0, 1.5, failure="ActorDiedError", repeated=True),
    ]
    assert updates(monkeypatch, did)[2:] == [
        ("stage_call_duration_seconds", 0.5, detector),
        ("stage_work_duration_seconds", 0.375, detector),
        ("stage_wait_duration_seconds", 0.125, detector),
        ("stage_step_duration_seconds", 0.25, {**detector, "step": "decode"}),
        ("stage_batch_size", 2, detector),
        ("stage_call_duration_seconds", 0.5, gallery),
        ("stage_failures_total", 1, {**gallery, "error": "ActorDiedError"}),
        ("stage_retries_total", 1, gallery),
    ]
