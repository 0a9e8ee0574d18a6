"""Clients that ask a service over and over for a stretch of time."""

import asyncio
import math
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import numpy as np

from facegraph.client import NoAnswerError
from facegraph.client.errors import error_from
from facegraph.client.http_options import http_options
from facegraph.step_times import completed, parsed

TIMEOUT = httpx.Timeout(60, connect=10)
"""Seconds; the service gives up after 30 by itself."""
PAUSE_S = 1.0
"""What a client waits after an error, which is what the service asks for."""


@dataclass(frozen=True)
class Load:
    """What is asked: to compare two photos, with options of POST /v1/verify."""

    photo: Path
    other: Path
    options: Mapping[str, str]


@dataclass
class Measured:
    """What came of it.

    Attributes:
        seconds: from the first request to the last answer.
        answers: the steps of each, in milliseconds; see `facegraph.step_times`.
        errors: how many of each code.
    """

    seconds: float = 0.0
    answers: list[dict[str, float]] = field(default_factory=list)
    errors: Counter[str] = field(default_factory=Counter)

    @property
    def rate(self) -> float:
        """Answers a second."""
        return len(self.answers) / self.seconds

    def percentile(self, percent: float) -> float:
        """Milliseconds that so many per cent of the answers took at most; not a number without any."""
        times = [steps["client"] for steps in self.answers]
        return float(np.percentile(times, percent)) if times else math.nan


async def measure(load: Load, url: str, api_key: str | None, clients: int, seconds: float) -> Measured:
    """Ask the service at `url` with so many clients for so many seconds; requests under way are waited for.

    Raises:
        ServiceError: the first request, which is not counted, was refused.
        NoAnswerError: it got no answer.
        ValueError: the address or the key cannot be one.
    """
    # The environment's proxy would be measured along.
    limits = httpx.Limits(max_connections=clients, max_keepalive_connections=clients)
    async with httpx.AsyncClient(**http_options(url, api_key), timeout=TIMEOUT, limits=limits) as client:
        files = {"photo1": load.photo.read_bytes(), "photo2": load.other.read_bytes()}
        request = client.build_request("POST", "/v1/verify", params=load.options, files=files)
        # Encoded once, for it would be this machine's time.
        body = await request.aread()
        content_type = {"Content-Type": request.headers["Content-Type"]}

        async def ask() -> tuple[httpx.Response, float]:
            started = time.perf_counter()
            answer = await client.post(request.url, content=body, headers=content_type)
            return answer, 1000 * (time.perf_counter() - started)

        try:
            first, _ = await ask()
        except httpx.TransportError as error:
            raise NoAnswerError(f"No answer to POST: {error or type(error).__name__}") from error
        if not first.is_success:
            raise error_from(first.status_code, _json(first), None)
        measured = Measured()
        began = time.perf_counter()

        async def repeat() -> None:
            while time.perf_counter() < began + seconds:
                if code := await one():
                    measured.errors[code] += 1
                    await asyncio.sleep(PAUSE_S)

        async def one() -> str:
            try:
                answer, milliseconds = await ask()
            except httpx.TransportError as error:
                return type(error).__name__
            if not answer.is_success:
                return error_from(answer.status_code, _json(answer), None).code
            measured.answers.append(completed(parsed(answer.headers.get("Server-Timing", "")), milliseconds))
            return ""

        await asyncio.gather(*(repeat() for _ in range(clients)))
        measured.seconds = time.perf_counter() - began
        return measured


def _json(answer: httpx.Response) -> object:
    try:
        return answer.json()
    except ValueError:
        return None
