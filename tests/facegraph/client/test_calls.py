"""The requests that calls describe, how their answers are decoded, and the exception for each error."""

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Any
from urllib.parse import unquote

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from facegraph import client
from facegraph.client import MalformedAnswerError, ServiceError
from facegraph.client.api_call import api_path
from facegraph.client.collections import put_collection
from facegraph.client.decoding import decode
from facegraph.client.errors import error_from
from facegraph.client.photos import detect
from facegraph.client.subjects import subjects
from project.root import ROOT

CLIENT = httpx.Client(base_url="http://faces.example/behind")


@given(st.lists(st.sampled_from([".", "..", "a/b", "%2F", "?x=1#y", "a b+c"]) | st.text(min_size=1).filter(str.strip)))
def test_a_path_has_exactly_the_given_segments(parts: Sequence[str]) -> None:
    path = CLIENT.build_request("GET", api_path(*parts)).url.raw_path.decode()
    assert [unquote(part) for part in path.split("/")] == ["", "behind", "v1", *parts]


def test_an_empty_segment_is_refused() -> None:
    with pytest.raises(ValueError, match="empty"):
        api_path("collections", "")


def test_a_threshold_is_kept_reset_or_set() -> None:
    assert put_collection("staff").json == {}
    assert put_collection("staff", threshold=None).json == {"threshold": None}
    assert put_collection("staff", embedder="facenet", threshold=0.3).json == {"embedder": "facenet", "threshold": 0.3}


@pytest.mark.parametrize("attributes", ["pose,eyes", ["pose", "eyes"], ("pose", "eyes")])
def test_attributes_are_text_or_a_list(attributes: str | Sequence[str]) -> None:
    assert detect(b"photo", attributes=attributes).params == {"attributes": "pose,eyes"}


def test_subjects_are_listed_page_by_page() -> None:
    subject = {"id": "b/&", "faces": 1, **dict.fromkeys(("first_enrolled", "last_enrolled"), "2026-01-15T10:30:00Z")}
    call = subjects("staff", after="a")
    page = call.decode({"subjects": [subject], "next": "b/&"})
    assert [each.id for each in page.items] == ["b/&"]
    following = page.next_call()
    assert following is not None
    assert (following.path, following.params["after"]) == (call.path, "b/&")
    assert following.decode({"subjects": [], "next": None}).next_call() is None


CLASSES = {
    **dict.fromkeys((400, 405), client.InvalidRequestError),
    **dict.fromkeys((408, 503), client.UnavailableError),
    401: client.UnauthenticatedError,
    403: client.ForbiddenError,
    404: client.NotFoundError,
    409: client.ConflictError,
    413: client.TooLargeError,
    422: client.RefusedPhotoError,
    429: client.RateLimitedError,
    500: ServiceError,
    507: client.StorageFullError,
}
NOT_ABOUT_A_PHOTO = {"INVALID_SUBJECT", "INVALID_EMBEDDING", "UNKNOWN_DETECTOR", "UNKNOWN_EMBEDDER", "UNKNOWN_LIVENESS"}


def test_every_documented_code_has_its_exception() -> None:
    lines = re.findall(r"^\| (\d{3}) \| (.*) \|$", (ROOT / "docs" / "v1.md").read_text("utf-8"), re.MULTILINE)
    documented = [(int(status), code) for status, cell in lines for code in re.findall("`([A-Z_]{5,})`", cell)]
    assert {status for status, _ in documented} == CLASSES.keys()
    for status, code in documented:
        body = {"error": {"code": code, "message": "Too much", "details": {"more": [1]}}, "request_id": "r-1"}
        error = error_from(httpx.Response(status, json=body, headers={"Retry-After": "2"}))
        assert type(error) is (client.InvalidRequestError if code in NOT_ABOUT_A_PHOTO else CLASSES[status])
        assert (error.status, str(error), error.details) == (status, f"{code}: Too much", {"more": [1]})
        assert (error.request_id, error.retry_after) == ("r-1", 2.0)
    # The service's proxy knows no request id.
    assert error_from(httpx.Response(413, json={**body, "request_id": None})).request_id == ""


@pytest.mark.parametrize(
    ("status", "body"), [(404, {"detail": "x"}), (413, None), (307, None), (401, ["error"]), (500, {"error": "x"})]
)
def test_a_foreign_error_is_named_by_its_status(status: int, body: Any) -> None:
    error = error_from(httpx.Response(status, json=body))
    assert (type(error), error.code) == (CLASSES.get(status, ServiceError), f"HTTP_{status}")


def test_integers_are_decoded_as_floats_and_unknown_fields_are_ignored() -> None:
    found = decode(client.Eyes, {"left_open": 1, "right_open": 0.5, "of_a_newer_service": "ignored"})
    assert repr(found) == "Eyes(left_open=1.0, right_open=0.5)"


@pytest.mark.parametrize(
    ("kind", "value", "message"),
    [
        (client.Defaults, {"detector": 3}, "answer.detector should be str, not int"),
        (client.Defaults, [], "answer should be dict, not list"),
        (datetime, "yesterday", "answer should be a time, not str"),
        (bytes, "=?", "answer should be base64, not str"),
        (bytes, "é", "answer should be base64, not str"),
        (tuple[client.Eyes, ...], {}, "answer should be list, not dict"),
        (tuple[client.Eyes, ...], [{"left_open": 1, "right_open": 1}, {}], r"answer\[1\].left_open is missing"),
        (tuple[float, float], [1], "answer should be 2 values, not list"),
        (float, True, "answer should be float or int, not bool"),
        (dict[str, bool], {"mtcnn": 1}, "answer.mtcnn should be bool, not int"),
        (int | None, [], "answer should be int, not list"),
    ],
)
def test_an_error_names_the_place_and_not_the_value(kind: Any, value: Any, message: str) -> None:
    with pytest.raises(MalformedAnswerError, match=f"^{message}$"):
        decode(kind, value)
