"""Clients of /v1, and whoever runs the service."""

from collections.abc import Callable
from typing import Any
from uuid import uuid4

from locust import tag, task
from locust.env import Environment

from load_tests.users.service_user import CHANCE, ServiceUser, file_of

NAMED = "/v1/collections/[name]"
SUBJECTS = 20
"""Most subjects that one user enrols with photos."""
BATCH = 10
"""Embeddings enrolled in one request."""


class PhotosUser(ServiceUser):
    """Detects, embeds, verifies, and compares what it embedded."""

    weight = 3

    @tag("detect")
    @task(2)
    def detect(self) -> None:
        self.ask("POST", "/v1/detect", params={"liveness": "report"}, files={"photo": file_of(self.photo())})

    @tag("compare")
    @task(4)
    def verify(self) -> None:
        first, second = self.pair()
        params = {"liveness": "report", "metric": CHANCE.choice(("cosine", "euclidean"))}
        files = {"photo1": file_of(first), "photo2": file_of(second)}
        self.ask("POST", "/v1/verify", params=params, files=files)

    @tag("embed", "compare")
    @task(2)
    def compare(self) -> None:
        found = [embedding for embedding in (self.embed(), self.embed()) if embedding]
        if len(found) == 2:
            self.ask("POST", "/v1/compare", json={"embedding1": found[0], "embedding2": found[1]})

    @tag("manage")
    @task
    def models(self) -> None:
        self.ask("GET", "/v1/models")


class GalleryUser(ServiceUser):
    """Enrols people in a collection of its own, searches it, and deletes it at the end."""

    weight = 4

    def __init__(self, environment: Environment) -> None:
        super().__init__(environment)
        self._path = f"/v1/collections/load-{uuid4().hex}"
        self._created = False
        self._embedding: Any = None

    def on_start(self) -> None:
        """Enrol the first subject."""
        self._enrol("person-0")

    def on_stop(self) -> None:
        """Delete the collection, even if the answer to its creation was lost."""
        self.take_back(self._path, NAMED, with_faces="true")

    @tag("search")
    @task(10)
    def search(self) -> None:
        self._ask("POST", "/search", params={"top_k": "3"}, files={"photo": file_of(self.photo())})

    @tag("search")
    @task(4)
    def search_embedding(self) -> None:
        if embedding := self._own_embedding():
            self._ask("POST", "/search/embedding", json={"embedding": embedding, "top_k": 3})

    @tag("enrol")
    @task(3)
    def enrol(self) -> None:
        self._enrol(f"person-{CHANCE.randrange(SUBJECTS)}")

    @tag("enrol")
    @task
    def enrol_embeddings(self) -> None:
        if embedding := self._own_embedding():
            values = [[value + CHANCE.gauss(0, 0.01) for value in embedding["values"]] for _ in range(BATCH)]
            rows = [{"subject": f"copy-{number}", "values": each} for number, each in enumerate(values)]
            body = {"contract": embedding["contract"], "embeddings": rows, "replace": True}
            self._ask("POST", "/embeddings", expected=(201,), json=body)

    @tag("manage")
    @task(2)
    def describe(self) -> None:
        self._ask("GET")
        self._ask("GET", "/subjects", params={"limit": "100"})

    @tag("manage")
    @task
    def delete_face(self) -> None:
        if self._enrol("leaver") and (found := self._ask("GET", "/subjects/leaver", "/subjects/[id]")):
            self._ask("DELETE", f"/faces/{found['faces'][0]['face_id']}", "/faces/[id]")

    @tag("manage")
    @task
    def delete_subject(self) -> None:
        if self._enrol("leaver"):
            self._ask("DELETE", "/subjects/leaver", "/subjects/[id]")

    @tag("manage")
    @task
    def delete_subjects(self) -> None:
        self._ask("POST", "/subjects/delete", json={"ids": ["person-1", "person-2"]})

    def _ask(self, method: str, below: str = "", named: str = "", **request: Any) -> Any:
        """Send a request to this user's collection, which the first one creates; `named` is `below` without ids."""
        if not self._created:
            self._created = bool(self.ask("PUT", self._path, name=NAMED, json={}, expected=(200, 201)))
        return self._created and self.ask(method, self._path + below, name=NAMED + (named or below), **request)

    def _enrol(self, subject: str) -> Any:
        # 200: this photo of the subject is enrolled already.
        return self._ask(
            "POST",
            "/faces",
            expected=(200, 201),
            data={"subject": subject},
            files={"photo": file_of(self.photo())},
            headers={"Idempotency-Key": uuid4().hex},
        )

    def _own_embedding(self) -> Any:
        """An embedding to search with, extracted once."""
        self._embedding = self._embedding or self.embed()
        return self._embedding


def request(method: str, path: str) -> Callable[[ServiceUser], None]:
    """A task that sends one request without a body."""

    @tag("manage")
    def send(user: ServiceUser) -> None:
        user.ask(method, path)

    return send


class OperatorUser(ServiceUser):
    """Polls health and metrics, lists collections, and erases deleted faces."""

    tasks: Any = {  # noqa: RUF012
        request("GET", "/health"): 10,
        request("GET", "/livez"): 2,
        request("GET", "/readyz"): 2,
        request("GET", "/v1/status"): 2,
        request("GET", "/v1/collections"): 2,
        request("GET", "/metrics"): 1,
        request("GET", "/"): 1,
        request("POST", "/v1/gallery/clean"): 1,
    }
