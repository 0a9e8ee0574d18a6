"""What the users of every contract share: photos, think time, and what counts as an answer."""

import time
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from random import SystemRandom
from typing import Any

from locust import FastHttpUser
from locust.env import Environment

from load_tests.error_text import countable
from load_tests.photos import Photo, in_folder, samples

CHANCE = SystemRandom()
BY_ADDRESS = "address"
"""Tag of the tasks that name a photo by its address."""
REFUSED = (429, 503)
CLEAN_UP_TRIES, CLEAN_UP_PAUSE_S = 3, 1.0


@cache
def load(folder: str | None) -> list[Photo]:
    """The photos that this process sends: those of `folder`, or sample photos."""
    return in_folder(Path(folder)) if folder else samples()


class ServiceUser(FastHttpUser):
    """A client of the service, with the options of the command line. FastHttpUser needs the least CPU."""

    abstract = True
    host = "http://localhost:8000"

    def __init__(self, environment: Environment) -> None:
        super().__init__(environment)
        assert environment.parsed_options is not None
        self.options = environment.parsed_options
        self.photos = load(self.options.photos)
        if not self.options.photo_url:
            self.tasks = [task for task in self.tasks if BY_ADDRESS not in getattr(task, "locust_tag_set", ())]

    def wait_time(self) -> float:
        """Seconds that the user thinks between two tasks."""
        return CHANCE.uniform(*self.options.think_time)

    def photo(self) -> Photo:
        """Any photo."""
        return CHANCE.choice(self.photos)

    def pair(self) -> tuple[Photo, Photo]:
        """Any two photos."""
        first, second = CHANCE.sample(self.photos, 2)
        return first, second

    def ask(self, method: str, path: str, *, name: str = "", expected: Sequence[int] = (200,), **request: Any) -> Any:
        """Send one request.

        An answer with another status than the expected ones is a failure, and so is one in JSON that is none. A 429
        or 503 with ``Retry-After`` is a failure of its own kind, "refused": the client got nothing, so it counts
        against the fail ratio; but its time is in no response time, for quick refusals would make an overloaded
        service look fast. The user does not wait for ``Retry-After``: the load stays what the test asked for.

        Args:
            name: line of the statistics; by default the path.
            request: as geventhttpclient takes it: json, data, files, params, headers.

        Returns:
            The answer's JSON, or its text where it is plain text; None where the request failed.
        """
        # Locust types its responses, but not how their verdict is given.
        response: Any
        with self.client.request(method, path, name=name or path, catch_response=True, **request) as response:
            status = response.status_code
            if status in expected:
                plain = response.headers.get("Content-Type", "").startswith("text/plain; version=")
                try:
                    answer = response.text if plain else response.json()
                except ValueError:
                    response.failure(f"{status} without JSON")
                else:
                    response.success()
                    return answer
            elif status in REFUSED and "Retry-After" in response.headers:
                response.request_meta["response_time"] = None
                response.failure(f"refused with {status}: {countable(response.text or '')}")
            elif status:
                response.failure(f"{status}: {countable(response.text or '')}")
            # Without a status there was no answer, and Locust has the reason.
        return None

    def take_back(self, path: str, name: str, **params: str) -> None:
        """Delete what this user may have made; where that is refused, try again a little later."""
        for _ in range(CLEAN_UP_TRIES):
            if self.ask("DELETE", path, name=name, expected=(200, 404), params=params) is not None:
                return
            time.sleep(CLEAN_UP_PAUSE_S)


def file_of(photo: Photo) -> tuple[str, bytes, str]:
    """A photo as a file of a form."""
    return photo.name, photo.data, photo.kind
