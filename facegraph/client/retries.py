"""Decides what a response means, whether to send the request again, and when.

It neither sends nor sleeps; the two clients in `facegraph.client.clients` do.
"""

import random
from dataclasses import dataclass
from time import monotonic
from typing import Any, Generic, TypeVar

import httpx

from facegraph.client.api_call import ApiCall
from facegraph.client.errors import FacegraphError, NoAnswerError, ServiceError, error_from, json_body

T = TypeVar("T")

_FIRST_BACKOFF_S = 0.25
_MAX_BACKOFF_S = 8.0
_UNAVAILABLE = 503
_RETRIED = (429, _UNAVAILABLE)
_LOST_BEHIND_PROXY = (502, 504)
_NOTHING_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)


@dataclass(frozen=True)
class RetryPolicy:
    """How long to keep trying.

    Attributes:
        retries: attempts after the first.
        timeout: seconds to connect, and for each read or write.
        deadline: seconds for all attempts together; no attempt starts after that.
    """

    retries: int
    timeout: float
    deadline: float


@dataclass(frozen=True)
class RetryAfter:
    """Send the request again after this many seconds."""

    seconds: float


class Attempts(Generic[T]):
    """The attempts to complete one call."""

    def __init__(self, call: ApiCall[T], policy: RetryPolicy) -> None:
        self._call = call
        self._policy = policy
        self._deadline = monotonic() + policy.deadline
        self._count = 0
        self._maybe_done = False

    def next_request(self) -> dict[str, Any]:
        """Start an attempt: keyword arguments for `httpx.Client.request`."""
        call = self._call
        self._count += 1
        return {
            "method": call.method,
            "url": call.path,
            "params": call.params,
            "json": call.json,
            "content": call.content,
            "data": call.form,
            "files": [(field, (upload.name, upload.data)) for field, upload in call.files] or None,
            "headers": call.headers,
            "timeout": min(self._policy.timeout, max(self._deadline - monotonic(), 0.001)),
        }

    def result(self, outcome: httpx.Response | httpx.RequestError) -> T | RetryAfter:
        """The call's result, or how long to wait before the next attempt.

        Raises:
            FacegraphError: the attempt failed and must not, or can no longer, be repeated.
        """
        if isinstance(outcome, httpx.RequestError):
            return self._lost(_no_answer(outcome), nothing_sent=isinstance(outcome, _NOTHING_SENT))
        try:
            return _decoded(self._call, outcome)
        except ServiceError as error:
            if error.status in _LOST_BEHIND_PROXY:
                return self._lost(error)
            if error.status not in _RETRIED:
                return self._call.on_error(error, self._maybe_done)
            # A request that timed out inside the service may have taken effect.
            self._maybe_done |= error.status == _UNAVAILABLE
            return self._retry(error, error.retry_after or 0.0)

    def _lost(self, error: FacegraphError, nothing_sent: bool = False) -> RetryAfter:
        self._maybe_done |= not nothing_sent
        if self._call.idempotent or nothing_sent:
            return self._retry(error)
        raise error

    def _retry(self, error: FacegraphError, requested_s: float = 0.0) -> RetryAfter:
        # Full jitter spreads clients that failed together over the whole backoff: M. Brooker, Exponential Backoff And
        # Jitter, AWS Architecture Blog, 2015.
        backoff = min(_MAX_BACKOFF_S, _FIRST_BACKOFF_S * 2 ** (self._count - 1))
        seconds = requested_s + random.uniform(0, backoff)  # noqa: S311 - not a secret
        if self._count > self._policy.retries or monotonic() + seconds >= self._deadline:
            raise error
        return RetryAfter(seconds)


def _decoded(call: ApiCall[T], response: httpx.Response) -> T:
    body = json_body(response)
    has_result = response.status_code in call.also_success and isinstance(body, dict) and "error" not in body
    if response.is_success or has_result:
        return call.decode(body)
    raise error_from(response)


def _no_answer(cause: httpx.RequestError) -> NoAnswerError:
    url = cause.request.url
    error = NoAnswerError(f"No response from {url.scheme}://{url.netloc.decode()}: {cause or type(cause).__name__}")
    error.__cause__ = cause
    return error
