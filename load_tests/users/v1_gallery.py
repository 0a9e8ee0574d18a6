"""Clients of the /v1 gallery; each has a collection of its own."""

from typing import Any
from uuid import uuid4

from locust import tag, task
from locust.env import Environment

from load_tests.users.service_user import CHANCE, ServiceUser, file_of

NAMED = "/v1/collections/[name]"
SUBJECTS = 20
"""Most subjects that one user enrols."""
BATCH = 10
"""Embeddings enrolled in one request."""


class GalleryUser(ServiceUser):
    """Enrols people in its collection, searches it, and deletes it at the end."""

    weight = 4

    def __init__(self, environment: Environment) -> None:
        super().__init__(environment)
        self._path = f"/v1/collections/load-{uuid4().hex}"
        self._made = False
        self._enrolled: set[str] = set()
        self._embedding: Any = None

    def on_stop(self) -> None:
        """Delete the collection, even if the answer to its creation was lost."""
        self.take_back(self._path, NAMED, with_faces="true")

    @tag("search")
    @task(10)
    def search(self) -> None:
        if self._someone():
            self._ask("POST", "/search", params={"top_k": "3"}, files={"photo": file_of(self.photo())})

    @tag("search")
    @task(4)
    def search_embedding(self) -> None:
        if self._someone() and (embedding := self._own_embedding()):
            self._ask("POST", "/search/embedding", json={"embedding": embedding, "top_k": 3})

    @tag("enrol")
    @task(3)
    def enrol(self) -> None:
        if self._open():
            self._enrol(f"person-{CHANCE.randrange(SUBJECTS)}")

    @tag("enrol")
    @task
    def enrol_embeddings(self) -> None:
        if self._open() and (embedding := self._own_embedding()):
            rows = [{"subject": f"copy-{number}", "values": _nearly(embedding["values"])} for number in range(BATCH)]
            body = {"contract": embedding["contract"], "embeddings": rows, "replace": True}
            self._ask("POST", "/embeddings", expected=(201,), json=body)

    @tag("manage")
    @task(2)
    def list_subjects(self) -> None:
        if self._someone():
            self._ask("GET", "/subjects", params={"limit": "100"})

    @tag("manage")
    @task
    def describe(self) -> None:
        if self._open():
            self._ask("GET")

    @tag("manage")
    @task
    def delete_face(self) -> None:
        if (subject := self._someone()) and (found := self._ask("GET", f"/subjects/{subject}", "/subjects/[id]")):
            faces = found["faces"]
            if len(faces) == 1:
                self._enrolled.discard(subject)
            self._ask("DELETE", f"/faces/{faces[0]['face_id']}", "/faces/[id]")

    @tag("manage")
    @task
    def delete_subject(self) -> None:
        if subject := self._someone():
            self._enrolled.discard(subject)
            self._ask("DELETE", f"/subjects/{subject}", "/subjects/[id]")

    @tag("manage")
    @task
    def delete_subjects(self) -> None:
        if self._someone():
            ids = sorted(self._enrolled)[:3]
            self._enrolled.difference_update(ids)
            self._ask("POST", "/subjects/delete", json={"ids": ids})

    def _ask(self, method: str, below: str = "", named: str = "", **request: Any) -> Any:
        """Send a request to this user's collection; `named` is the path below it without ids."""
        return self.ask(method, self._path + below, name=NAMED + (named or below), **request)

    def _open(self) -> bool:
        """Create the collection if necessary; returns whether it exists."""
        if not self._made:
            self._made = bool(self._ask("PUT", json={"embedder": "arcface"}, expected=(200, 201)))
        return self._made

    def _someone(self) -> str | None:
        """A subject enrolled with a photo; None if none could be enrolled."""
        if not self._enrolled and self._open():
            self._enrol("person-0")
        return CHANCE.choice(sorted(self._enrolled)) if self._enrolled else None

    def _enrol(self, subject: str) -> None:
        # 200: this photo of the subject is enrolled already.
        found = self._ask(
            "POST",
            "/faces",
            expected=(200, 201),
            data={"subject": subject},
            files={"photo": file_of(self.photo())},
            headers={"Idempotency-Key": uuid4().hex},
        )
        if found:
            self._enrolled.add(subject)

    def _own_embedding(self) -> Any:
        """An embedding to search with, extracted once."""
        if not self._embedding:
            found = self.ask("POST", "/v1/embed", files={"photo": file_of(self.photo())})
            if found and found["faces"]:
                self._embedding = found["faces"][0]["embedding"]
        return self._embedding


def _nearly(values: list[float]) -> list[float]:
    """Another embedding close to `values`."""
    return [value + CHANCE.gauss(0, 0.01) for value in values]
