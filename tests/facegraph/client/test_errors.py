"""Every code in docs/v1.md has an exception, and so does an error that does not come from the service."""

import re
from typing import Any

import pytest

from facegraph import client
from facegraph.client import ServiceError
from facegraph.client.errors import error_from
from tests.conftest import PROJECT

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
    lines = re.findall(r"^\| (\d{3}) \| (.*) \|$", (PROJECT / "docs" / "v1.md").read_text("utf-8"), re.MULTILINE)
    documented = [(int(status), code) for status, cell in lines for code in re.findall("`([A-Z_]{5,})`", cell)]
    assert {status for status, _ in documented} == CLASSES.keys()
    for status, code in documented:
        body = {"error": {"code": code, "message": "Too much", "details": {"more": [1]}}, "request_id": "r-1"}
        error = error_from(status, body, 2.0)
        assert type(error) is (client.InvalidRequestError if code in NOT_ABOUT_A_PHOTO else CLASSES[status])
        assert (error.status, str(error), error.details) == (status, f"{code}: Too much", {"more": [1]})
        assert (error.request_id, error.retry_after) == ("r-1", 2.0)
    # The service's proxy knows no request id.
    assert error_from(413, {**body, "request_id": None}, None).request_id == ""


@pytest.mark.parametrize(
    ("status", "body"), [(404, {"detail": "x"}), (413, None), (307, None), (401, ["error"]), (500, {"error": "x"})]
)
def test_a_foreign_error_is_named_by_its_status(status: int, body: Any) -> None:
    error = error_from(status, body, None)
    assert (type(error), error.code) == (CLASSES.get(status, ServiceError), f"HTTP_{status}")
