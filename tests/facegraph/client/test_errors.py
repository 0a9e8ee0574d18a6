"""Every code that docs/v1.md lists has its error, and whatever else answers has one as well."""

import re
from typing import Any

import httpx
import pytest

from facegraph import client
from facegraph.client import FacegraphError, MalformedAnswerError, ServiceError
from tests.conftest import PROJECT
from tests.facegraph.client import Asker, Script, refusal

CLASSES = {
    400: client.InvalidRequestError,
    401: client.UnauthenticatedError,
    403: client.ForbiddenError,
    404: client.NotFoundError,
    405: client.InvalidRequestError,
    408: client.UnavailableError,
    409: client.ConflictError,
    413: client.TooLargeError,
    422: client.RefusedPhotoError,
    429: client.RateLimitedError,
    500: ServiceError,
    503: client.UnavailableError,
    507: client.StorageFullError,
}
ABOUT_NO_PHOTO = {"INVALID_SUBJECT", "INVALID_EMBEDDING", "UNKNOWN_DETECTOR", "UNKNOWN_EMBEDDER", "UNKNOWN_LIVENESS"}


def documented() -> list[tuple[int, str]]:
    """Status and code of each line of the table in docs/v1.md."""
    text = (PROJECT / "docs" / "v1.md").read_text("utf-8")
    lines = re.findall(r"^\| (\d{3}) \| (.*) \|$", text, re.MULTILINE)
    return [(int(status), code) for status, cell in lines for code in re.findall("`([A-Z_]{5,})`", cell)]


def raised_by(response: httpx.Response, method: str = "collections", *args: Any) -> FacegraphError:
    script = Script(response)
    with pytest.raises(FacegraphError) as raised:
        getattr(Asker(True, script.transports(), retries=0), method)(*args)
    return raised.value


def test_every_code_has_its_error() -> None:
    found = documented()
    assert {status for status, _ in found} == CLASSES.keys()
    for status, code in found:
        error = raised_by(refusal(status, code, {"more": [1]}))
        assert type(error) is (client.InvalidRequestError if code in ABOUT_NO_PHOTO else CLASSES[status])
        assert isinstance(error, ServiceError)
        told = (error.status, error.code, error.message, error.details, error.request_id)
        assert told == (status, code, f"Something about {code}", {"more": [1]}, "r-1")


def test_an_error_of_the_proxy_before_the_service_has_no_request_id() -> None:
    body = {"error": {"code": "BODY_TOO_LARGE", "message": "Too much", "details": {}}, "request_id": None}
    error = raised_by(httpx.Response(413, json=body))
    assert isinstance(error, client.TooLargeError)
    assert (error.code, str(error), error.request_id) == ("BODY_TOO_LARGE", "BODY_TOO_LARGE: Too much", "")


@pytest.mark.parametrize(
    "response",
    [
        httpx.Response(404, json={"detail": "Not Found"}),
        httpx.Response(413, html="<h1>Request Entity Too Large</h1>"),
        httpx.Response(307, headers={"Location": "https://elsewhere.example/"}),
        httpx.Response(401, json=["error"]),
        httpx.Response(500, json={"error": "text", "request_id": "r"}),
    ],
)
def test_an_error_of_something_else_is_told_by_its_status(response: httpx.Response) -> None:
    error = raised_by(response)
    assert type(error) is CLASSES.get(response.status_code, ServiceError)
    assert str(error).startswith(f"HTTP_{response.status_code}: ")


@pytest.mark.parametrize(
    ("response", "said"),
    [
        (httpx.Response(200, html="<h1>Welcome</h1>"), "answer should be dict, not NoneType"),
        (httpx.Response(200, json={}), "answer.collections is missing"),
        (httpx.Response(200, json={"collections": [{"name": 3}]}), r"answer.collections\[0\].name should be str"),
    ],
)
def test_an_answer_of_something_else_is_told_with_its_place(response: httpx.Response, said: str) -> None:
    error = raised_by(response)
    assert isinstance(error, MalformedAnswerError)
    assert re.search(said, str(error))
