"""Clients that check the content of every answer."""

import time
from typing import Any
from uuid import uuid4

from locust import task
from locust.env import Environment

from load_tests.photos import Photo, sample_pair
from load_tests.users.checked_requests import COLLECTION, EMBEDDER, embedding_of, search_body
from load_tests.users.service_user import PAUSE_S, ServiceUser, WrongAnswerError


class CheckedUser(ServiceUser):
    """Compares a pair of one person by three routes, enrols embeddings, and finds them again.

    `COLLECTION` has to be there. The record of an acknowledged enrolment has its ``subject``.
    """

    only_by_name = True

    def __init__(self, environment: Environment) -> None:
        super().__init__(environment)
        self._pair = [Photo.read(path).base64 for path in sample_pair()]
        self._newest = ""
        self._embedder: dict[str, Any] = {}

    def on_start(self) -> None:
        """Read which embeddings the collection has."""
        self._embedder = self.ask("GET", "/v1/models")["embedders"][EMBEDDER]

    @task
    def match(self) -> None:
        self._compare("/match", ("image1", "image2"))

    @task
    def compare(self) -> None:
        self._compare("/compare")

    @task
    def mediapipe(self) -> None:
        self._compare("/mediapipe")

    @task
    def enrol(self) -> None:
        subject = uuid4().hex
        rows = [{"subject": subject, "values": embedding_of(subject, self._embedder)}]
        body = {"contract": self._embedder["embedding_contract"], "embeddings": rows}
        if self._ask(f"{COLLECTION}/embeddings", body, expected=(201,), inspect=lambda _: {"subject": subject}):
            self._newest = subject

    @task
    def search(self) -> None:
        def found(answer: Any) -> dict[str, Any]:
            if [each["subject"] for each in answer["candidates"]] != [self._newest]:
                raise WrongAnswerError("the newest subject is not found")
            return {}

        if self._newest:
            self._ask(f"{COLLECTION}/search/embedding", search_body(self._newest, self._embedder), inspect=found)

    def _compare(self, path: str, names: tuple[str, str] = ("image1_base64", "image2_base64")) -> None:
        self._ask(path, dict(zip(names, self._pair, strict=True)), inspect=same_person)

    def _ask(self, path: str, body: dict[str, Any], **options: Any) -> Any:
        answer = self.ask("POST", path, json=body, **options)
        if answer is None:
            time.sleep(PAUSE_S)
        return answer


def same_person(answer: Any) -> dict[str, Any]:
    """Check that two photos of one person match."""
    similarity = answer.get("similarity_score", answer.get("similarity"))
    if answer["match"] is not True or not 0.6 < similarity < 0.8:
        raise WrongAnswerError(f"match {answer['match']}, similarity {similarity}")
    return {}
