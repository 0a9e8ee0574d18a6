"""Which calls are retried, when, and for how long."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import httpx
import pytest

from facegraph.client import FacegraphError, NoAnswerError, NotFoundError, retries
from facegraph.client.api_call import ApiCall
from facegraph.client.collections import clean, collections, delete_collection
from facegraph.client.retries import Attempts, RetryAfter, RetryPolicy
from facegraph.client.service import health
from facegraph.client.subjects import delete_face, delete_subject

LISTED = httpx.Response(200, json={"collections": []})
HEALTHY = {"status": "healthy", "version": "1", "models": {}, "database_connected": True}
LOST = [httpx.ReadTimeout("slow"), httpx.ReadError("reset"), httpx.RemoteProtocolError("?"), httpx.Response(504)]
NOT_SENT = [httpx.ConnectError("refused"), httpx.ConnectTimeout("slow")]


def refusal(status: int, code: str = "CODE", **headers: str) -> httpx.Response:
    error = {"code": code, "message": "A sentence", "details": {}}
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return httpx.Response(status, json={"error": error, "request_id": "r-1"}, headers=named)


class Run:
    """Completes calls whose attempts have given outcomes, without waiting.

    Attributes:
        now: the time.
        timeouts: the time limit of each attempt, in seconds.
    """

    def __init__(self) -> None:
        self.now = 1000.0
        self.timeouts: list[float] = []

    def __call__(
        self, call: ApiCall[Any], *outcomes: Any, retries: int = 4, timeout: float = 60, deadline: float = 120
    ) -> tuple[Any, list[float]]:
        """The call's result, or the exception it raises, and the seconds before each retry."""
        attempts, waits = Attempts(call, RetryPolicy(retries, timeout, deadline)), list[float]()
        for outcome in outcomes:
            self.timeouts.append(attempts.next_request()["timeout"])
            if isinstance(outcome, httpx.RequestError):
                outcome.request = httpx.Request("GET", "http://faces.example/v1")
            try:
                result = attempts.result(outcome)
            except FacegraphError as error:
                result = error
            if not isinstance(result, RetryAfter):
                assert outcome is outcomes[-1], "not retried"
                return result, waits
            waits.append(result.seconds)
            self.now += result.seconds
        raise AssertionError("retried")


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Run:
    """With jitter at its maximum."""
    made = Run()
    monkeypatch.setattr("random.uniform", lambda low, high: high)
    monkeypatch.setattr(retries, "monotonic", lambda: made.now)
    return made


@pytest.mark.parametrize("status", [429, 503])
def test_overload_and_rate_limits_are_retried_when_the_service_says(run: Run, status: int) -> None:
    assert run(collections(), refusal(status, Retry_After="7"), LISTED) == ((), [7.25])
    in_20_s = format_datetime(datetime.now(UTC) + timedelta(seconds=20), usegmt=True)
    assert run(collections(), refusal(status, Retry_After=in_20_s), LISTED)[1] == [pytest.approx(20, abs=2)]


@pytest.mark.parametrize("header", ["Wed, 21 Oct 2015 07:28:00 GMT", "soon", "-1", "1e9", ""])
def test_a_past_or_malformed_time_is_ignored(run: Run, header: str) -> None:
    assert run(collections(), refusal(503, Retry_After=header), LISTED)[1] == [0.25]


def test_backoff_doubles_up_to_a_limit_and_retries_end(run: Run) -> None:
    error, waits = run(collections(), *[httpx.ConnectError("refused")] * 9, retries=8)
    assert waits == [0.25, 0.5, 1, 2, 4, 8, 8, 8]
    assert isinstance(error, NoAnswerError)
    assert str(error) == "No answer from http://faces.example: refused"


def test_no_retry_starts_after_the_deadline(run: Run) -> None:
    error, waits = run(collections(), *[refusal(503, Retry_After="20")] * 2, deadline=30)
    assert (error.code, error.retry_after, waits) == ("CODE", 20, [20.25])


def test_an_attempt_has_no_more_time_than_remains(run: Run) -> None:
    run(collections(), refusal(503, Retry_After="25"), LISTED, timeout=20, deadline=30)
    assert run.timeouts == [20, pytest.approx(30 - 25.25)]


@pytest.mark.parametrize("lost", LOST)
def test_a_lost_response_is_requested_again_if_the_call_is_idempotent(run: Run, lost: Any) -> None:
    assert run(collections(), lost, LISTED)[0] == ()
    assert isinstance(run(clean(), lost)[0], FacegraphError)


@pytest.mark.parametrize("failure", [*NOT_SENT, refusal(429)])
def test_a_request_without_effect_is_always_sent_again(run: Run, failure: Any) -> None:
    assert run(clean(), failure, httpx.Response(200, json={"freed_bytes": {"staff": 5}}))[0] == {"staff": 5}


@pytest.mark.parametrize("status", [400, 404, 409, 422, 500, 507])
def test_other_errors_are_not_retried(run: Run, status: int) -> None:
    error, waits = run(collections(), refusal(status, Retry_After="1"))
    assert (error.code, waits) == ("CODE", [])


@pytest.mark.parametrize("lost", [*LOST, refusal(503)])
def test_a_deletion_whose_response_was_lost_succeeds_if_nothing_is_left(run: Run, lost: Any) -> None:
    for call in (delete_subject("staff", "anna"), delete_face("staff", "f1")):
        assert run(call, lost, refusal(404))[0] == 0
    assert run(delete_collection("staff"), lost, refusal(404))[0] is None


@pytest.mark.parametrize("failure", [*NOT_SENT, refusal(429)])
def test_a_deletion_that_never_ran_finds_nothing(run: Run, failure: Any) -> None:
    assert isinstance(run(delete_subject("staff", "anna"), failure, refusal(404))[0], NotFoundError)


def test_an_unhealthy_service_is_a_result_and_a_missing_one_is_retried(run: Run) -> None:
    unhealthy = httpx.Response(503, json={**HEALTHY, "status": "unhealthy"})
    assert run(health(), unhealthy)[0].status == "unhealthy"
    assert run(health(), httpx.Response(503, text="no server"), httpx.Response(200, json=HEALTHY))[1] == [0.25]
