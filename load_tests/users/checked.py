"""Clients that check the content of every answer."""

import time
from typing import Any
from uuid import uuid4

from locust import task
from locust.env import Environment

from load_tests.faults import COLLECTION, EMBEDDER, PAIR_ROUTES, embedding_of, search_body
from load_tests.photos import Photo, pair_json, sample_pair
from load_tests.users.fixed_request import similarity
from load_tests.users.service_user import CHANCE, PAUSE_S, ServiceUser, WrongAnswerError


class CheckedUser(ServiceUser):
    """Compares a pair of one person by three routes, enrols embeddings, and finds them again.

    `COLLECTION` has to be there. The record of an acknowledged enrolment has its ``subject``.
    """

    only_by_name = True

    def __init__(self, environment: Environment) -> None:
        super().__init__(environment)
        self._pair = [Photo.read(path) for path in sample_pair()]
        self._newest = ""
        self._embedder: dict[str, Any] = {}

    def on_start(self) -> None:
        """Read which embeddings the collection has."""
        self._embedder = self.ask("GET", "/v1/models")["embedders"][EMBEDDER]

    @task
    def enrol(self) -> None:
        subject = uuid4().hex
        rows = [{"subject": subject, "values": embedding_of(subject, self._embedder)}]
        body = {"contract": self._embedder["embedding_contract"], "embeddings": rows}
        if self._post(f"{COLLECTION}/embeddings", body, expected=(201,), inspect=lambda _: {"subject": subject}):
            self._newest = subject

    @task
    def search(self) -> None:
        def found(answer: Any) -> dict[str, Any]:
            if [each["subject"] for each in answer["candidates"]] != [self._newest]:
                raise WrongAnswerError("the newest subject is not found")
            return {}

        if self._newest:
            self._post(f"{COLLECTION}/search/embedding", search_body(self._newest, self._embedder), inspect=found)

    @task(3)
    def compare(self) -> None:
        path = CHANCE.choice(PAIR_ROUTES)
        self._post(path, pair_json(path, self._pair), inspect=same_person)

    def _post(self, path: str, body: Any, **options: Any) -> Any:
        answer = self.ask("POST", path, json=body, **options)
        if answer is None:
            time.sleep(PAUSE_S)
        return answer


def same_person(answer: Any) -> dict[str, Any]:
    """Check that two photos of one person match."""
    if answer["match"] is not True or not 0.6 < similarity(answer)["similarity"] < 0.8:
        raise WrongAnswerError(f"match {answer['match']}, {similarity(answer)}")
    return {}
