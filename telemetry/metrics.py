"""The service's own metrics, which Ray exports with the prefix ``ray_``: see docs/observability.md.

Label values come from small sets: route templates, roles, codes. They never contain ids, paths or personal data.
"""

from typing import Any

from ray.serve.metrics import Counter, Histogram

from telemetry.request_record import AnsweredRequest, OutcomeKind, StageCall

SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30]
SIZES = [1.0, 2, 4, 8, 16, 32, 64, 128]


class Metrics:
    """Updates the metrics for each completed request. Implements `telemetry.request_record.Observe`.

    Create it in an ingress replica: Serve labels each metric with the replica's deployment, id and application.
    """

    def __init__(self) -> None:
        stage = _labels("stage", "role")
        self._requests = Counter(
            "facegraph_requests_total", "Answered requests.", _labels("method", "route", "status", "code")
        )
        self._request_seconds = Histogram(
            "facegraph_request_duration_seconds",
            "Time from a request's arrival in the ingress to the end of its answer.",
            SECONDS,
            _labels("method", "route"),
        )
        self._call_seconds = Histogram(
            "facegraph_stage_call_duration_seconds", "Round trip of a stage call.", SECONDS, stage
        )
        self._work_seconds = Histogram(
            "facegraph_stage_work_duration_seconds", "Time that the replica worked on a call.", SECONDS, stage
        )
        self._wait_seconds = Histogram(
            "facegraph_stage_wait_duration_seconds", "Rest of the round trip: queue and transport.", SECONDS, stage
        )
        self._step_seconds = Histogram(
            "facegraph_stage_step_duration_seconds",
            "Time of each step of a replica's work, for all photos of a call.",
            SECONDS,
            _labels("stage", "role", "step"),
        )
        self._size = Histogram("facegraph_stage_batch_size", "Photos or faces per stage call.", SIZES, stage)
        self._failures = Counter(
            "facegraph_stage_failures_total", "Failed stage calls.", _labels("stage", "role", "error")
        )
        self._retries = Counter("facegraph_stage_retries_total", "Stage calls retried because the replica died.", stage)
        self._matches = Counter(
            "facegraph_matches_total", "Comparisons and searched faces by verdict.", _labels("route", "verdict")
        )
        outcome = _labels("outcome")
        self._outcomes: dict[OutcomeKind, Counter] = {
            "photo": Counter("facegraph_photos_total", "Photos by outcome: decoded, or an error code.", outcome),
            "face": Counter("facegraph_faces_total", "Faces found in photos.", outcome),
            "liveness": Counter("facegraph_liveness_verdicts_total", "Faces judged live or spoof.", outcome),
            "enrolment": Counter("facegraph_enrolments_total", "Faces and photos sent for enrolment.", outcome),
        }

    def __call__(self, answered: AnsweredRequest) -> None:
        """Update the metrics for one request."""
        route = {"method": answered.method, "route": answered.route}
        self._requests.inc(1, {**route, "status": str(answered.status), "code": answered.code})
        self._request_seconds.observe(answered.seconds, route)
        for call in answered.did.calls:
            self._record_call(call)
        for (of, outcome), count in answered.did.outcomes.items():
            if not count:
                continue
            if of == "match":
                self._matches.inc(count, {"route": answered.route, "verdict": outcome})
            else:
                self._outcomes[of].inc(count, {"outcome": outcome})

    def _record_call(self, call: StageCall) -> None:
        stage = {"stage": call.kind, "role": call.label}
        seconds = call.end - call.start
        self._call_seconds.observe(seconds, stage)
        if call.timed is not None:
            self._work_seconds.observe(call.timed.seconds, stage)
            self._wait_seconds.observe(max(0.0, seconds - call.timed.seconds), stage)
            for step, took in call.timed.steps.items():
                self._step_seconds.observe(took, {**stage, "step": step})
        if call.size:
            self._size.observe(call.size, stage)
        if call.failure:
            self._failures.inc(1, {**stage, "error": call.failure})
        if call.repeated:
            self._retries.inc(1, stage)


def _labels(*names: str) -> Any:
    # Serve's type annotations allow only one label.
    return names
