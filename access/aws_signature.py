"""Verifies the signatures of AWS clients (AWS Signature Version 4) with botocore.

See https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv.html. A signature has no nonce, so a request can
be repeated until it expires.
"""

import hashlib
import hmac
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from project.request_error import RequestError

MAX_SKEW = timedelta(minutes=5)
"""Maximum difference between the time of a request and the service's clock, as at AWS."""
SERVICE = "rekognition"
TIME_FORMAT = "%Y%m%dT%H%M%SZ"

Headers = Sequence[tuple[str, str]]
"""Names in lower case, and values."""

_AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256\s+Credential=(?P<key>\w+)/(?P<day>\d{8})/(?P<region>[\w-]+)/(?P<service>[\w-]+)/aws4_request,"
    r"\s*SignedHeaders=(?P<headers>[a-z0-9;_-]+),\s*Signature=(?P<signature>[0-9a-f]{64})",
    re.ASCII,
)
_NEEDED = frozenset({"host", "x-amz-date", "x-amz-target"})
"""Headers that must be signed, so that a request cannot be changed or sent elsewhere or later."""


@dataclass(frozen=True, slots=True)
class AwsSignature:
    """The signature in a request's headers.

    Attributes:
        access_key: AWS access key id.
        region: AWS region; any is accepted.
        time: time of the request, in `TIME_FORMAT`.
        headers: the signed headers.
        payload: SHA-256 of the body in the header ``X-Amz-Content-SHA256``; None without it.
        signature: 64 hex digits.
    """

    access_key: str
    region: str
    time: str
    headers: Headers
    payload: str | None
    signature: str

    @classmethod
    def of(cls, headers: Headers, now: datetime) -> "AwsSignature":
        """Parse the signature in a request's headers, without verifying it.

        Args:
            now: current time; the time of the request may differ by up to `MAX_SKEW`.

        Raises:
            RequestError: ``UNAUTHENTICATED`` without a signature, ``INCOMPLETE_SIGNATURE``, or ``INVALID_SIGNATURE`` if
                the signature has expired, is not yet valid or is for another date or service.
        """
        values = dict(headers)
        if not (given := values.get("authorization", "")):
            raise RequestError("UNAUTHENTICATED", "The request is not signed; sign it with AWS Signature Version 4")
        if not (form := _AUTHORIZATION.fullmatch(given.strip())):
            raise RequestError("INCOMPLETE_SIGNATURE", "The Authorization header is not an AWS Signature Version 4")
        names = set(form["headers"].split(";"))
        if missing := sorted(_NEEDED - names):
            raise RequestError("INCOMPLETE_SIGNATURE", f"The signature must include the header {missing[0]}")
        time = values.get("x-amz-date", "")
        _check_time(time, now)
        if form["day"] != time[:8] or form["service"] != SERVICE:
            raise RequestError(
                "INVALID_SIGNATURE", f"The credential must be scoped to the request's date and the service {SERVICE}"
            )
        signed = [(name, value) for name, value in headers if name in names]
        return cls(form["key"], form["region"], time, signed, values.get("x-amz-content-sha256"), form["signature"])

    def check(self, secret: str, url: str, body: bytes) -> None:
        """Check that the signature of a ``POST`` was made with `secret`.

        Args:
            url: path and query of the request.
            body: the whole body.

        Raises:
            RequestError: ``INVALID_SIGNATURE``.
        """
        changed = self.payload is not None and self.payload != hashlib.sha256(body).hexdigest()
        expected = _signer()(secret, self, url, body)
        if changed or not hmac.compare_digest(expected, self.signature):
            raise RequestError(
                "INVALID_SIGNATURE",
                "The signature does not match the request; check the secret access key, and that no proxy changes the "
                "headers or the body",
            )


def _check_time(time: str, now: datetime) -> None:
    try:
        signed = datetime.strptime(time, TIME_FORMAT).replace(tzinfo=UTC)
    except ValueError:
        raise RequestError("INCOMPLETE_SIGNATURE", "X-Amz-Date must have the form 20260131T235959Z") from None
    if signed < now - MAX_SKEW:
        raise RequestError(
            "INVALID_SIGNATURE", f"Signature expired: {time} is now earlier than {_text(now - MAX_SKEW)}"
        )
    if signed > now + MAX_SKEW:
        raise RequestError(
            "INVALID_SIGNATURE", f"Signature not yet current: {time} is still later than {_text(now + MAX_SKEW)}"
        )


def _text(moment: datetime) -> str:
    return moment.strftime(TIME_FORMAT)


@cache
def _signer() -> Any:
    """Return a function that computes a signature. Imports botocore here, because it is an optional dependency."""
    from botocore.auth import SigV4Auth
    from botocore.awsrequest import AWSRequest, HTTPHeaders
    from botocore.credentials import Credentials

    class Signer(SigV4Auth):  # type: ignore[misc]
        def headers_to_sign(self, request: Any) -> Any:
            # The client has chosen them.
            return request.headers

    def signature(secret: str, given: AwsSignature, url: str, body: bytes) -> str:
        request = AWSRequest("POST", f"http://host{url}", data=body)
        request.headers = HTTPHeaders()
        for name, value in given.headers:
            request.headers.add_header(name, value)
        request.context["timestamp"] = given.time
        signer = Signer(Credentials(given.access_key, secret), SERVICE, given.region)
        canonical = signer.canonical_request(request)
        text: str = signer.signature(signer.string_to_sign(request, canonical), request)
        return text

    return signature
