"""The base of all user classes: photos, think time, and the rule for what counts as a failure."""

import re
import time
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from random import SystemRandom
from typing import Any

from locust import FastHttpUser, tag, task
from locust.env import Environment

from load_tests.photos import GOOD_SAMPLES, Photo, in_folder, samples
from load_tests.records import REFUSED

CHANCE = SystemRandom()
BY_ADDRESS = "address"
"""Tag of the tasks that send a photo by URL."""
PAUSE_S = 1.0
"""Seconds that a client waits after a failure: the value of the service's Retry-After header."""
ERROR_LENGTH = 200


@cache
def load(folder: str | None) -> list[Photo]:
    """Return the photos that this process sends: from `folder`, or sample photos."""
    return [Photo.read(path) for path in (in_folder(Path(folder)) if folder else samples(*GOOD_SAMPLES))]


class ServiceUser(FastHttpUser):
    """A client of the service, with the options of the command line."""

    abstract = True
    host = "http://localhost:8000"
    connection_timeout = 10.0
    only_by_name = False
    """Whether the class runs only if the command line names it."""

    def __init__(self, environment: Environment) -> None:
        super().__init__(environment)
        assert environment.parsed_options is not None
        self.options = environment.parsed_options

    def wait_time(self) -> float:
        """Return the think time between two tasks, in seconds."""
        return CHANCE.uniform(*self.options.think_time)

    def photo(self) -> Photo:
        """Return a random photo."""
        return CHANCE.choice(load(self.options.photos))

    def pair(self) -> tuple[Photo, ...]:
        """Return two random photos."""
        return tuple(CHANCE.sample(load(self.options.photos), 2))

    def ask(
        self,
        method: str,
        path: str,
        *,
        name: str = "",
        expected: Sequence[int] = (200,),
        inspect: Callable[[Any], dict[str, Any] | None] = lambda _: {},
        **request: Any,
    ) -> Any:
        """Send one request; return the response's JSON, or its text if it is plain text, or None if it failed.

        See docs/load_testing.md for what counts as a failure and as refused.

        Args:
            name: line of the statistics; by default the path.
            expected: status codes that count as success.
            inspect: returns details of the response to record, or None if its content is wrong.
            request: json, data, files, params and headers, passed to geventhttpclient.
        """
        # Locust's types do not cover marking a response as success or failure.
        response: Any
        with self.client.request(method, path, name=name or path, catch_response=True, **request) as response:
            status, text = response.status_code, re.sub(r"[0-9a-f]{32}", "...", response.text or "")[:ERROR_LENGTH]
            if status in expected:
                try:
                    answer = response.text if path == "/metrics" else response.json()
                except ValueError:
                    return response.failure(f"{status} without JSON")
                if (details := inspect(answer)) is None:
                    return response.failure(f"wrong: {text}")
                response.request_meta["context"].update(details)
                response.success()
                return answer
            if status in (429, 503) and "Retry-After" in response.headers:
                response.request_meta["response_time"] = None
                response.failure(f"{REFUSED} with {status}: {text}")
            elif status:
                response.failure(f"{status}: {text}")
            # Without a status there was no response, and Locust records the reason.
        return None

    def take_back(self, path: str, name: str, **params: str) -> None:
        """Delete what this user may have created; if that fails, try again twice."""
        for _ in range(3):
            if self.ask("DELETE", path, name=name, expected=(200, 404), params=params) is not None:
                return
            time.sleep(PAUSE_S)


def sends(method: str, path: str, *tags: str, **parts: Callable[[Any], Any]) -> Any:
    """Create a task that sends one request. Each part (json, data, files, params) is computed from the user."""

    @tag(*tags)
    def send(user: ServiceUser) -> None:
        user.ask(method, path, **{part: make(user) for part, make in parts.items()})

    return send


def does(weight: int, *tags: str) -> Callable[[Any], Any]:
    """Turn a method into a task."""
    return lambda method: tag(*tags)(task(weight)(method))


def photos_in(*fields: str) -> Callable[[ServiceUser], dict[str, Any]]:
    """Return a function that creates form files: a random photo in each of `fields`."""
    return lambda user: {field: user.photo().file for field in fields}
