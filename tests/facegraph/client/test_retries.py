"""Which calls are retried, when, and for how long."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import httpx
import pytest

from facegraph.client import FacegraphError, NoAnswerError, NotFoundError, retries
from facegraph.client.api_call import ApiCall
from facegraph.client.collections import clean, collections, delete_collection
from facegraph.client.imports import import_embeddings
from facegraph.client.retries import Attempts, RetryAfter, RetryPolicy
from facegraph.client.service import health
from facegraph.client.subjects import delete_face, delete_subject

LISTED = httpx.Response(200, json={"collections": []})
HEALTHY = {"status": "healthy", "version": "1", "models": {}, "database_connected": True}
LOST = [httpx.ReadTimeout("slow"), httpx.ReadError("reset"), httpx.RemoteProtocolError("?"), httpx.Response(504)]
NOT_SENT = [httpx.ConnectError("refused"), httpx.ConnectTimeout("slow")]
Run = Callable[..., tuple[Any, list[float], list[float]]]


def refusal(status: int, retry_after: str | None = None) -> httpx.Response:
    body = {"error": {"code": "CODE", "message": "A sentence", "details": {}}, "request_id": "r-1"}
    return httpx.Response(status, json=body, headers={} if retry_after is None else {"Retry-After": retry_after})


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Run:
    """Completes a call whose attempts have the given outcomes, without waiting, and with the largest jitter.

    Returns the call's result or the exception it raises, the seconds before each retry, and each attempt's time limit.
    """
    now = 1000.0
    monkeypatch.setattr("random.uniform", lambda low, high: high)
    monkeypatch.setattr(retries, "monotonic", lambda: now)

    def run(
        call: ApiCall[Any], *outcomes: Any, retries: int = 4, timeout: float = 60, deadline: float = 120
    ) -> tuple[Any, list[float], list[float]]:
        nonlocal now
        attempts, waits, limits = Attempts(call, RetryPolicy(retries, timeout, deadline)), list[float](), list[float]()
        for outcome in outcomes:
            limits.append(attempts.next_request()["timeout"])
            if isinstance(outcome, httpx.RequestError):
                outcome.request = httpx.Request("GET", "http://faces.example/v1")
            try:
                result = attempts.result(outcome)
            except FacegraphError as error:
                result = error
            if not isinstance(result, RetryAfter):
                assert outcome is outcomes[-1], "not retried"
                return result, waits, limits
            waits.append(result.seconds)
            now += result.seconds
        raise AssertionError("retried")

    return run


@pytest.mark.parametrize("status", [429, 503])
def test_overload_and_rate_limits_are_retried_when_the_service_says(run: Run, status: int) -> None:
    assert run(collections(), refusal(status, "7"), LISTED)[:2] == ((), [7.25])
    in_20_s = format_datetime(datetime.now(UTC) + timedelta(seconds=20), usegmt=True)
    assert run(collections(), refusal(status, in_20_s), LISTED)[1] == [pytest.approx(20, abs=2)]
    for ignored in ("Wed, 21 Oct 2015 07:28:00 GMT", "soon", "-1", "1e9", ""):
        assert run(collections(), refusal(status, ignored), LISTED)[1] == [0.25]


def test_backoff_doubles_up_to_a_limit_and_retries_end(run: Run) -> None:
    error, waits, _ = run(collections(), *[httpx.ConnectError("refused")] * 9, retries=8)
    assert waits == [0.25, 0.5, 1, 2, 4, 8, 8, 8]
    assert (type(error), str(error)) == (NoAnswerError, "No response from http://faces.example: refused")


def test_no_retry_starts_after_the_deadline_and_no_attempt_has_more_time_than_remains(run: Run) -> None:
    error, waits, _ = run(collections(), *[refusal(503, "20")] * 2, deadline=30)
    assert (error.code, error.retry_after, waits) == ("CODE", 20, [20.25])
    limits = run(collections(), refusal(503, "25"), LISTED, timeout=20, deadline=30)[2]
    assert limits == [20, pytest.approx(30 - 25.25)]


@pytest.mark.parametrize("lost", LOST)
def test_a_lost_response_is_requested_again_if_the_call_is_idempotent(run: Run, lost: Any) -> None:
    assert run(collections(), lost, LISTED)[0] == ()
    imported = httpx.Response(200, json={"enrolled": 1, "already": 0})
    assert run(import_embeddings("staff", b""), lost, imported)[0].enrolled == 1
    assert isinstance(run(clean(), lost)[0], FacegraphError)


@pytest.mark.parametrize("failure", [*NOT_SENT, refusal(429)])
def test_a_request_without_effect_is_always_sent_again(run: Run, failure: Any) -> None:
    assert run(clean(), failure, httpx.Response(200, json={"freed_bytes": {"staff": 5}}))[0] == {"staff": 5}
    assert isinstance(run(delete_subject("staff", "anna"), failure, refusal(404))[0], NotFoundError)


@pytest.mark.parametrize("status", [400, 404, 409, 422, 500, 507])
def test_other_errors_are_not_retried(run: Run, status: int) -> None:
    error, waits, _ = run(collections(), refusal(status, "1"))
    assert (error.code, waits) == ("CODE", [])


@pytest.mark.parametrize("lost", [*LOST, refusal(503)])
def test_a_deletion_whose_response_was_lost_succeeds_if_nothing_is_left(run: Run, lost: Any) -> None:
    for call in (delete_subject("staff", "anna"), delete_face("staff", "f1")):
        assert run(call, lost, refusal(404))[0] == 0
    assert run(delete_collection("staff"), lost, refusal(404))[0] is None


def test_an_unhealthy_service_is_a_result_and_a_missing_one_is_retried(run: Run) -> None:
    unhealthy = httpx.Response(503, json={**HEALTHY, "status": "unhealthy"})
    assert run(health(), unhealthy)[0].status == "unhealthy"
    assert run(health(), httpx.Response(503, text="no server"), httpx.Response(200, json=HEALTHY))[1] == [0.25]
