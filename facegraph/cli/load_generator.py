"""Clients that repeatedly send POST /v1/verify to a service, for `facegraph bench`."""

import asyncio
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import numpy as np

from facegraph.client.errors import error_from
from facegraph.client.http_options import http_options
from facegraph.step_times import parse_server_timing, with_derived_steps

TIMEOUT = httpx.Timeout(60, connect=10)
"""Seconds; the service itself gives up after 30."""
PAUSE_S = 1.0
"""Seconds that a client waits after an error: the service's usual Retry-After."""


@dataclass
class LoadResult:
    """The result of a load test.

    Attributes:
        seconds: time from the first request to the last response.
        answers: milliseconds of each response's steps, see `facegraph.step_times`.
        errors: number of errors by code.
    """

    seconds: float = 0.0
    answers: list[dict[str, float]] = field(default_factory=list)
    errors: Counter[str] = field(default_factory=Counter)

    @property
    def rate(self) -> float:
        """Responses per second."""
        return len(self.answers) / self.seconds

    def percentile(self, percent: float) -> float:
        """Return the percentile of the response times in milliseconds; NaN without responses."""
        times = [steps["client"] for steps in self.answers]
        return float(np.percentile(times, percent)) if times else float("nan")


async def generate_load(
    photos: tuple[Path, Path],
    options: Mapping[str, str],
    url: str,
    api_key: str | None,
    clients: int,
    seconds: float,
) -> LoadResult:
    """Let `clients` clients compare two photos for `seconds`, and wait for the last responses.

    Args:
        options: query parameters of POST /v1/verify.

    Raises:
        ValueError: the URL or the key is malformed.
    """
    settings = {**http_options(url, api_key), "timeout": TIMEOUT}
    files = {f"photo{number}": path.read_bytes() for number, path in enumerate(photos, 1)}
    # Encoded once, so that the time for encoding is not measured.
    request = httpx.Request("POST", "/v1/verify", params=options, files=files)
    body, headers = request.read(), {"Content-Type": request.headers["Content-Type"]}
    result = LoadResult()
    began = time.perf_counter()

    async def repeat() -> None:
        # One pool per client. With a shared pool, the time that clients wait for a connection would be measured.
        async with httpx.AsyncClient(**settings) as client:
            while (started := time.perf_counter()) < began + seconds:
                try:
                    answer = await client.post(request.url, content=body, headers=headers)
                    code = "" if answer.is_success else error_from(answer).code
                except httpx.TransportError as error:
                    code = type(error).__name__
                if code:
                    result.errors[code] += 1
                    await asyncio.sleep(PAUSE_S)
                else:
                    milliseconds = 1000 * (time.perf_counter() - started)
                    result.answers.append(
                        with_derived_steps(parse_server_timing(answer.headers.get("Server-Timing", "")), milliseconds)
                    )

    await asyncio.gather(*(repeat() for _ in range(clients)))
    result.seconds = time.perf_counter() - began
    return result
