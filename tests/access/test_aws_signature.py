"""Which signatures of AWS clients are valid."""

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from unittest.mock import patch

import pytest

pytest.importorskip("botocore")
from botocore import auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from access.aws_signature import MAX_SKEW, AwsSignature, Headers
from project.request_error import RequestError

NOW = datetime(2026, 1, 15, 10, 30, tzinfo=UTC)
SECRET, BODY = "fg_secret", b'{"CollectionId": "staff"}'
HEADERS = {"Host": "faces.example:8000", "X-Amz-Target": "RekognitionService.ListFaces", "Spaced": "  a   b "}


def signed(
    further: Mapping[str, str] | None = None, *, service: str = "rekognition", at: datetime = NOW, path: str = "/"
) -> Headers:
    """The headers of a request that botocore has signed."""
    request = AWSRequest("POST", f"http://faces.example{path}", {**HEADERS, **(further or {})}, BODY)
    with patch.object(auth, "get_current_datetime", return_value=at):
        auth.SigV4Auth(Credentials("FGAK0", SECRET), service, "eu-west-1").add_auth(request)
    return [(name.lower(), value) for name, value in request.headers.items()]


def changed(headers: Headers, name: str, value: str | None) -> Headers:
    """`headers` with another value for one header, or without this header."""
    kept = [each for each in headers if each[0] != name]
    return kept if value is None else [*kept, (name, value)]


def refusal(headers: Headers, secret: str = SECRET, body: bytes = BODY, path: str = "/") -> str:
    with pytest.raises(RequestError) as caught:
        AwsSignature.of(headers, NOW).check(secret, path, body)
    return caught.value.code


def test_a_signature_of_botocore_is_valid() -> None:
    digest = {"X-Amz-Content-Sha256": hashlib.sha256(BODY).hexdigest()}
    for headers in (signed(), signed(digest), signed(at=NOW - MAX_SKEW), signed(at=NOW + MAX_SKEW)):
        signature = AwsSignature.of(headers, NOW)
        assert (signature.access_key, signature.region) == ("FGAK0", "eu-west-1")
        signature.check(SECRET, "/", BODY)
    AwsSignature.of(signed(path="/?b=2&a=1"), NOW).check(SECRET, "/?b=2&a=1", BODY)


def test_a_changed_request_is_refused() -> None:
    assert refusal(signed(), secret="fg_other") == "INVALID_SIGNATURE"
    assert refusal(signed(), body=BODY + b" ") == "INVALID_SIGNATURE"
    assert refusal(signed(), path="/?a=1") == "INVALID_SIGNATURE"
    for name in ("x-amz-target", "host", "spaced"):
        assert refusal(changed(signed(), name, "other")) == "INVALID_SIGNATURE"
    # Signed, but not the digest of this body.
    digest = {"X-Amz-Content-Sha256": hashlib.sha256(BODY).hexdigest()}
    assert refusal(signed(digest), body=BODY + b" ") == "INVALID_SIGNATURE"
    assert refusal(signed({"X-Amz-Content-Sha256": "UNSIGNED-PAYLOAD"})) == "INVALID_SIGNATURE"


def test_a_request_of_another_time_or_service_is_refused() -> None:
    late = MAX_SKEW + timedelta(seconds=1)
    for headers in (signed(at=NOW + late), signed(at=NOW - late), signed(service="s3")):
        assert refusal(headers) == "INVALID_SIGNATURE"


def test_a_request_without_a_complete_signature_is_refused() -> None:
    headers = signed()
    given = dict(headers)["authorization"]
    assert refusal(changed(headers, "authorization", None)) == "UNAUTHENTICATED"
    incomplete = [
        "Bearer fg_0",
        given[:-1],
        given.replace("SignedHeaders", "Headers"),
        given.replace("x-amz-target", "x"),
    ]
    for value in (*incomplete, given.replace(";x-amz-date", "")):
        assert refusal(changed(headers, "authorization", value)) == "INCOMPLETE_SIGNATURE"
    for date in (None, "2026-01-15", "20260115T103000"):
        assert refusal(changed(headers, "x-amz-date", date)) == "INCOMPLETE_SIGNATURE"
