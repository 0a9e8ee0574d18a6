"""Clients of the face database; each uses one variant and ids of its own."""

from uuid import uuid4

from locust import tag, task
from locust.env import Environment

from load_tests.users.service_user import CHANCE, ServiceUser, file_of

DELETE = "/delete_face/[id]"
IDS = 5
"""Ids of one user; adding a face again replaces it."""


class FaceDatabaseUser(ServiceUser):
    """Adds a few faces, looks people up, and deletes its faces at the end."""

    weight = 4

    def __init__(self, environment: Environment) -> None:
        super().__init__(environment)
        self._variant = {"model": CHANCE.choice(("arcface", "facenet"))}
        self._ids = [f"load-{uuid4().hex}-{number}" for number in range(IDS)]
        self._added: set[str] = set()

    def on_stop(self) -> None:
        """Delete every id, since the answer to an addition may have been lost."""
        for face_id in self._ids:
            self.take_back(f"/delete_face/{face_id}", DELETE, **self._variant)

    @tag("search")
    @task(10)
    def match_face(self) -> None:
        if self._added or self._add(self._ids[0]):
            self.ask("POST", "/match_face", data=self._variant, files={"file": file_of(self.photo())})

    @tag("enrol")
    @task(3)
    def add_face(self) -> None:
        self._add(CHANCE.choice(self._ids))

    @tag("manage")
    @task
    def delete_face(self) -> None:
        if self._added or self._add(self._ids[0]):
            face_id = CHANCE.choice(sorted(self._added))
            self._added.discard(face_id)
            self.ask("DELETE", f"/delete_face/{face_id}", name=DELETE, params=self._variant)

    @tag("manage")
    @task
    def list_faces(self) -> None:
        self.ask("GET", "/list_faces", params=self._variant)

    @tag("manage")
    @task
    def stats(self) -> None:
        self.ask("GET", "/stats", params=self._variant)

    def _add(self, face_id: str) -> bool:
        data = {"id": face_id, **self._variant}
        answer = self.ask("POST", "/add_face", data=data, files={"file": file_of(self.photo())})
        if answer:
            self._added.add(face_id)
        return bool(answer)
