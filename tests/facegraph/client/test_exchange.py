"""Which calls are tried again, when, and until when."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import httpx
import pytest

from facegraph.client import FacegraphError, NoAnswerError, NotFoundError, RateLimitedError, UnavailableError
from tests.facegraph.client import BOTH, Asker, Script, refusal
from tests.facegraph.client.conftest import Clock

pytestmark = BOTH

Scripted = Callable[..., tuple[Asker, Script]]
EMPTY: dict[str, list[str]] = {"collections": []}
HEALTHY = {"status": "healthy", "version": "1", "models": {}, "database_connected": True}
DELETED = {"deleted_faces": 1}


def answer(body: Any) -> httpx.Response:
    return httpx.Response(200, json=body)


@pytest.mark.parametrize(("status", "code"), [(503, "OVERLOADED"), (503, "TIMEOUT"), (429, "RATE_LIMITED")])
def test_what_passes_by_itself_is_asked_again_when_the_service_says(
    scripted: Scripted, clock: Clock, status: int, code: str
) -> None:
    ask, script = scripted(refusal(status, code, Retry_After="7"), answer(EMPTY))
    assert ask.collections() == ()
    assert len(script.requests) == 2
    assert clock.waits == [7 + 0.125]


def test_a_date_says_when_as_well(scripted: Scripted, clock: Clock) -> None:
    moment = datetime.now(UTC) + timedelta(seconds=20)
    ask, _ = scripted(refusal(503, "UNAVAILABLE", Retry_After=format_datetime(moment, usegmt=True)), answer(EMPTY))
    ask.collections()
    assert clock.waits == [pytest.approx(20, abs=2)]


@pytest.mark.parametrize("header", ["Wed, 21 Oct 2015 07:28:00 GMT", "soon", "-1", "1e9", ""])
def test_a_time_that_is_past_or_none_is_not_waited_for(scripted: Scripted, clock: Clock, header: str) -> None:
    ask, _ = scripted(refusal(503, "UNAVAILABLE", Retry_After=header), answer(EMPTY))
    ask.collections()
    assert clock.waits == [0.125]


def test_waits_double_and_have_an_end(scripted: Scripted, clock: Clock) -> None:
    ask, script = scripted(*[httpx.ConnectError("refused")] * 9, retries=8)
    with pytest.raises(NoAnswerError):
        ask.collections()
    assert clock.waits == [0.125, 0.25, 0.5, 1, 2, 4, 4, 4]
    assert len(script.requests) == 9


def test_after_the_last_attempt_its_error_is_raised(scripted: Scripted, clock: Clock) -> None:
    ask, _ = scripted(*[refusal(429, "RATE_LIMITED", Retry_After="1")] * 3, retries=2)
    with pytest.raises(RateLimitedError) as raised:
        ask.detect(b"photo")
    assert (raised.value.retry_after, raised.value.request_id, len(clock.waits)) == (1, "r-1", 2)


def test_nothing_is_waited_for_beyond_the_deadline(scripted: Scripted, clock: Clock) -> None:
    ask, script = scripted(*[refusal(503, "OVERLOADED", Retry_After="20")] * 3, deadline=30)
    with pytest.raises(UnavailableError, match="OVERLOADED"):
        ask.collections()
    assert len(script.requests) == 2
    assert len(clock.waits) == 1


def test_no_attempt_has_more_time_than_is_left(scripted: Scripted, clock: Clock) -> None:
    ask, script = scripted(refusal(503, "OVERLOADED", Retry_After="25"), answer(EMPTY), timeout=20, deadline=30)
    ask.collections()
    reads = [request.extensions["timeout"]["read"] for request in script.requests]
    assert reads == [20, pytest.approx(30 - 25.125)]


@pytest.mark.parametrize("lost", [httpx.ReadTimeout("slow"), httpx.ReadError("reset"), httpx.RemoteProtocolError("?")])
def test_a_lost_answer_is_asked_for_again_where_that_is_safe(scripted: Scripted, clock: Clock, lost: Exception) -> None:
    ask, script = scripted(lost, answer(EMPTY))
    assert ask.collections() == ()
    ask, script = scripted(lost)
    with pytest.raises(NoAnswerError, match=r"No answer from http://faces\.example"):
        ask.clean()
    assert len(script.requests) == 1


@pytest.mark.parametrize("lost", [httpx.ConnectError("refused"), httpx.ConnectTimeout("slow")])
def test_what_was_never_sent_is_always_sent_again(scripted: Scripted, clock: Clock, lost: Exception) -> None:
    ask, _ = scripted(lost, answer({"freed_bytes": {"staff": 5}}))
    assert ask.clean() == {"staff": 5}


def test_a_proxy_that_lost_the_service_is_as_good_as_no_answer(scripted: Scripted, clock: Clock) -> None:
    page = httpx.Response(502, html="<h1>Bad Gateway</h1>")
    ask, _ = scripted(page, answer(EMPTY))
    assert ask.collections() == ()
    ask, _ = scripted(page)
    with pytest.raises(UnavailableError, match="HTTP_502") as raised:
        ask.clean()
    assert (raised.value.status, raised.value.request_id) == (502, "")


@pytest.mark.parametrize("status", [400, 404, 409, 422, 500, 507])
def test_what_stays_as_it_is_is_not_asked_again(scripted: Scripted, clock: Clock, status: int) -> None:
    ask, script = scripted(refusal(status, "SOMETHING", Retry_After="1"))
    with pytest.raises(FacegraphError, match="SOMETHING: Something about SOMETHING"):
        ask.detect(b"photo")
    assert len(script.requests) == 1


def test_an_enrolment_is_the_same_request_when_it_is_sent_again(scripted: Scripted, clock: Clock) -> None:
    enrolled = {"enrolled": 0, "already": 0, "deleted": 0, "refused": 0, "photos": [], "models": {}}
    ask, script = scripted(httpx.ReadError("reset"), answer(enrolled), answer(enrolled))
    ask.enrol("staff", "anna", b"photo", replace=True)
    ask.enrol("staff", "anna", b"photo", replace=True)
    first, again, other = (request.headers["Idempotency-Key"] for request in script.requests)
    assert first == again != other
    assert script.requests[1].url.params["replace"] == "true"


@pytest.mark.parametrize("lost", [httpx.ReadError("reset"), refusal(503, "TIMEOUT"), httpx.Response(504)])
def test_what_a_lost_deletion_deleted_is_no_error(scripted: Scripted, clock: Clock, lost: Any) -> None:
    for method, code in (("delete_subject", "SUBJECT_NOT_FOUND"), ("delete_face", "FACE_NOT_FOUND")):
        ask, _ = scripted(lost, refusal(404, code))
        assert getattr(ask, method)("staff", "anna") == 0
    ask, _ = scripted(lost, refusal(404, "COLLECTION_NOT_FOUND"))
    assert ask.delete_collection("staff") is None
    ask, _ = scripted(lost, answer({"deleted_faces": 0}))
    assert ask.delete_subject("staff", "..") == 0


@pytest.mark.parametrize("before", [httpx.ConnectError("refused"), refusal(429, "RATE_LIMITED")])
def test_what_no_attempt_can_have_deleted_is_not_found(scripted: Scripted, clock: Clock, before: Any) -> None:
    ask, _ = scripted(before, refusal(404, "SUBJECT_NOT_FOUND"))
    with pytest.raises(NotFoundError):
        ask.delete_subject("staff", "anna")


def test_a_service_that_is_not_healthy_says_so(scripted: Scripted, clock: Clock) -> None:
    ask, _ = scripted(httpx.Response(503, json={**HEALTHY, "status": "unhealthy"}))
    assert ask.health().status == "unhealthy"
    ask, script = scripted(httpx.Response(503, text="no server is available"), answer(HEALTHY))
    assert ask.health().status == "healthy"
    assert len(script.requests) == 2
