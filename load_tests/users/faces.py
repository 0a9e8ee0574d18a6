"""Clients of the FaceNet service: extract embeddings and compare them."""

from typing import Any

from locust import tag, task

from load_tests.photos import Photo
from load_tests.users.service_user import ServiceUser, file_of


class FacesUser(ServiceUser):
    """Counts faces, extracts embeddings, and compares two of them."""

    weight = 2

    @tag("detect")
    @task(2)
    def detect(self) -> None:
        self.ask("POST", "/detect-face", files={"image": file_of(self.photo())})

    @tag("embed", "compare")
    @task(3)
    def compare(self) -> None:
        first, second = (self._embed(photo) for photo in self.pair())
        if first and second:
            body = {"embedding1": first["embedding"], "embedding2": second["embedding"]}
            self.ask("POST", "/compare-faces", json=body)

    def _embed(self, photo: Photo) -> Any:
        return self.ask("POST", "/extract-embedding", files={"image": file_of(photo)})
