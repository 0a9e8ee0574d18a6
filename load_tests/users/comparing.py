"""Clients used by the tools: one repeats a fixed request, the other checks the content of every response."""

import time
from collections.abc import Callable
from itertools import count
from pathlib import Path
from threading import Thread
from typing import Any
from uuid import uuid4

from locust import task
from locust.exception import StopUser

from load_tests.faults import COLLECTION, EMBEDDER, PAIR_ROUTES
from load_tests.photos import Photo, pair_json, sample_pair
from load_tests.users.service_user import CHANCE, PAUSE_S, ServiceUser


class FixedRequestUser(ServiceUser):
    """Posts the file of ``--fixed-body`` to ``--fixed-path``. Locust ends after ``--fixed-count`` requests in total.

    After a failure, it waits for `PAUSE_S`, unless the number of requests is fixed.
    """

    only_by_name = True
    sent, ended = count(1), count(1)
    """Counters of the requests that all users have sent, and of those that have ended."""

    @task
    def send(self) -> None:
        path, body, most = self.options.fixed_path, Path(self.options.fixed_body).read_bytes(), self.options.fixed_count
        if most and next(self.sent) > most:
            raise StopUser
        headers = {"Content-Type": "application/json"}
        answer = self.ask("POST", path, data=body, headers=headers, inspect=similarity)
        if most and next(self.ended) == most and self.environment.runner:
            # In another thread, because quitting ends this user.
            Thread(target=self.environment.runner.quit, daemon=True).start()
        elif answer is None and not most:
            time.sleep(PAUSE_S)


class CheckedUser(ServiceUser):
    """Compares two photos of one person on three routes, enrols embeddings, and searches for them.

    `COLLECTION` must exist. The record of an acknowledged enrolment includes its ``subject``.
    """

    only_by_name = True

    _newest: tuple[str, list[float]] = "", []

    def on_start(self) -> None:
        """Read the photos, and the embedding contract of the collection."""
        self._pair = [Photo.read(path) for path in sample_pair()]
        embedder = self.ask("GET", "/v1/models")["embedders"][EMBEDDER]
        self._contract, self._size = embedder["embedding_contract"], embedder["embedding_dimensions"]

    @task
    def enrol(self) -> None:
        subject, values = uuid4().hex, [CHANCE.gauss(0, 1) for _ in range(self._size)]
        body = {"contract": self._contract, "embeddings": [{"subject": subject, "values": values}]}
        if self._post(f"{COLLECTION}/embeddings", body, lambda _: {"subject": subject}, expected=(201,)):
            self._newest = subject, values

    @task
    def search(self) -> None:
        subject, values = self._newest
        if subject:
            body = {"embedding": {"contract": self._contract, "values": values}, "top_k": 1}
            self._post(f"{COLLECTION}/search/embedding", body, lambda answer: finds(answer, subject))

    @task(3)
    def compare(self) -> None:
        path = CHANCE.choice(PAIR_ROUTES)
        self._post(path, pair_json(path, self._pair), same_person)

    def _post(self, path: str, body: Any, inspect: Callable[[Any], dict[str, Any] | None], **options: Any) -> Any:
        answer = self.ask("POST", path, json=body, inspect=inspect, **options)
        if answer is None:
            time.sleep(PAUSE_S)
        return answer


def similarity(answer: Any) -> dict[str, Any]:
    """Return the cosine similarity in a response, if there is one."""
    found = answer.get("similarity_score", answer.get("similarity"))
    return {} if found is None else {"similarity": found}


def same_person(answer: Any) -> dict[str, Any] | None:
    """Return {} (no details) if the response is a match with a similarity between 0.6 and 0.8; None otherwise."""
    return {} if answer["match"] is True and 0.6 < similarity(answer)["similarity"] < 0.8 else None


def finds(answer: Any, subject: str) -> dict[str, Any] | None:
    """Return {} (no details) if a search found only `subject`; None otherwise."""
    return {} if [each["subject"] for each in answer["candidates"]] == [subject] else None
