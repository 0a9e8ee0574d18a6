"""One call until it is answered: what an outcome means, whether to try again, and when.

It sends and sleeps nothing itself: `facegraph.client.clients` does, blocking or not.
"""

import random
import re
import time
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from time import monotonic
from typing import Any, Generic, TypeVar

import httpx

from facegraph.client.call import Call
from facegraph.client.errors import FacegraphError, NoAnswerError, ServiceError, error_of

T = TypeVar("T")

_FIRST_WAIT_S = 0.25
_LONGEST_WAIT_S = 8.0
_UNAVAILABLE = 503
_TRY_AGAIN = (429, _UNAVAILABLE)
_LOST_BEHIND_PROXY = (502, 504)
_NOTHING_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)


@dataclass(frozen=True)
class Patience:
    """How long a call is tried.

    Attributes:
        retries: attempts after the first.
        timeout: seconds to connect, to send a part of a request, and until the next part of an answer.
        deadline: seconds after which no attempt is begun.
    """

    retries: int
    timeout: float
    deadline: float


@dataclass(frozen=True)
class Wait:
    """Try again after so many seconds."""

    seconds: float


class Exchange(Generic[T]):
    """The attempts of one call.

    Args:
        call: what is asked.
        patience: how long.
    """

    def __init__(self, call: Call[T], patience: Patience) -> None:
        self._call = call
        self._patience = patience
        self._last = monotonic() + patience.deadline
        self._attempts = 0
        self._perhaps_done = False

    def request(self) -> dict[str, Any]:
        """What `httpx.Client.request` takes, for the next attempt."""
        call = self._call
        self._attempts += 1
        return {
            "method": call.method,
            "url": call.path,
            "params": call.params,
            "json": call.json,
            "data": call.form,
            "files": [(field, (file.name, file.data)) for field, file in call.files] or None,
            "headers": call.headers,
            "timeout": min(self._patience.timeout, max(self._last - monotonic(), 0.001)),
        }

    def judged(self, outcome: httpx.Response | httpx.RequestError) -> T | Wait:
        """What an attempt's outcome is for the caller, or how long to wait before the next attempt.

        Raises:
            FacegraphError: it is an error, and is not to be tried again.
        """
        if isinstance(outcome, httpx.RequestError):
            return self._lost(_no_answer(outcome), nothing_sent=isinstance(outcome, _NOTHING_SENT))
        try:
            return _value(self._call, outcome)
        except ServiceError as error:
            if error.status in _LOST_BEHIND_PROXY:
                return self._lost(error)
            if error.status not in _TRY_AGAIN:
                return self._call.settle(error, self._perhaps_done)
            # What took too long may have been done.
            self._perhaps_done |= error.status == _UNAVAILABLE
            return self._wait(error, error.retry_after or 0.0)

    def _lost(self, error: FacegraphError, nothing_sent: bool = False) -> Wait:
        self._perhaps_done |= not nothing_sent
        if self._call.repeatable or nothing_sent:
            return self._wait(error)
        raise error

    def _wait(self, error: FacegraphError, asked: float = 0.0) -> Wait:
        # Spread over the whole of a time that doubles ("full jitter"), so that clients who failed together do not
        # come back together: M. Brooker, Exponential Backoff And Jitter, AWS Architecture Blog, 2015.
        most = min(_LONGEST_WAIT_S, _FIRST_WAIT_S * 2 ** (self._attempts - 1))
        seconds = asked + random.uniform(0, most)  # noqa: S311 - no secret
        if self._attempts > self._patience.retries or monotonic() + seconds >= self._last:
            raise error
        return Wait(seconds)


def _value(call: Call[T], response: httpx.Response) -> T:
    try:
        body = response.json()
    except ValueError:
        body = None
    answered = response.status_code in call.answers and isinstance(body, dict) and "error" not in body
    if response.is_success or answered:
        return call.decode(body)
    raise error_of(response.status_code, body, _retry_after(response.headers.get("Retry-After", "")))


def _no_answer(outcome: httpx.RequestError) -> NoAnswerError:
    url = outcome.request.url
    error = NoAnswerError(f"No answer from {url.scheme}://{url.netloc.decode()}: {outcome or type(outcome).__name__}")
    error.__cause__ = outcome
    return error


def _retry_after(header: str) -> float | None:
    """Seconds of a ``Retry-After``, which has them or a date; None for anything else."""
    if re.fullmatch("[0-9]{1,9}", header):
        return float(header)
    try:
        moment = parsedate_to_datetime(header)
    except ValueError:
        return None
    return max(0.0, moment.timestamp() - time.time())
