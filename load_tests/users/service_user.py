"""What all user classes share: photos, think time, and the rule that separates answers from failures."""

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
"""Tag of the tasks that name a photo by its address."""
PAUSE_S = 1.0
"""Seconds that a client waits after a failure, as the service's Retry-After asks."""
ERROR_LENGTH = 200


@cache
def load(folder: str | None) -> list[Photo]:
    """The photos that this process sends: those of `folder`, or sample photos."""
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
        """Seconds that the user thinks between two tasks."""
        return CHANCE.uniform(*self.options.think_time)

    def photo(self) -> Photo:
        """A random photo."""
        return CHANCE.choice(load(self.options.photos))

    def pair(self) -> tuple[Photo, ...]:
        """Two random photos."""
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
        """Send one request; return the answer's JSON, or its text if it is plain text, or None if it failed.

        docs/load_testing.md says what counts as a failure and as a refusal.

        Args:
            name: line of the statistics; by default the path.
            expected: statuses of an answer.
            inspect: returns details of the answer to record, or None if its content is wrong.
            request: json, data, files, params, headers, as geventhttpclient takes them.
        """
        # Locust types its responses, but not how their verdict is given.
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
            # Without a status there was no answer, and Locust has the reason.
        return None

    def take_back(self, path: str, name: str, **params: str) -> None:
        """Delete what this user may have made; if that fails, try again twice."""
        for _ in range(3):
            if self.ask("DELETE", path, name=name, expected=(200, 404), params=params) is not None:
                return
            time.sleep(PAUSE_S)


def sends(method: str, path: str, *tags: str, name: str = "", **parts: Callable[[Any], Any]) -> Any:
    """Make a task that sends one request; each part (json, data, files, params) is made from the user."""

    @tag(*tags)
    def send(user: ServiceUser) -> None:
        user.ask(method, path, name=name, **{part: make(user) for part, make in parts.items()})

    return send


def does(weight: int, *tags: str) -> Callable[[Any], Any]:
    """Make a method a task."""
    return lambda method: tag(*tags)(task(weight)(method))


def photos_in(*fields: str) -> Callable[[ServiceUser], dict[str, Any]]:
    """Make the files of a form: a random photo in each of its `fields`."""
    return lambda user: {field: user.photo().file for field in fields}
