"""Clients of the five older services; each sends what its contract documents."""

from typing import Any
from uuid import uuid4

from locust import tag, task
from locust.env import Environment

from load_tests.photos import Photo
from load_tests.users.service_user import BY_ADDRESS, CHANCE, ServiceUser, file_of


class MatchUser(ServiceUser):
    """Compares pairs of photos with POST /match."""

    weight = 4

    @tag("compare")
    @task(3)
    def match(self) -> None:
        first, second = self.pair()
        self.ask("POST", "/match", json={"image1": first.base64, "image2": second.base64})

    @tag("compare")
    @task
    def match_with_threshold(self) -> None:
        first, second = self.pair()
        body = {"image1": first.base64, "image2": f"data:{second.kind};base64,{second.base64}", "threshold": 0.7}
        self.ask("POST", "/match", json=body)

    @tag("compare", BY_ADDRESS)
    @task
    def match_by_address(self) -> None:
        body = {"image1": self.options.photo_url, "image2": self.photo().base64}
        # A line of its own, because it includes the other site's time.
        self.ask("POST", "/match", name="/match by address", json=body)


class FaceDatabaseUser(ServiceUser):
    """Adds a few faces to one variant's database, looks people up, and deletes its faces at the end."""

    weight = 4

    def __init__(self, environment: Environment) -> None:
        super().__init__(environment)
        self._variant = {"model": CHANCE.choice(("arcface", "facenet"))}
        self._ids = [f"load-{uuid4().hex}" for _ in range(5)]

    def on_start(self) -> None:
        """Add a face, so that the database is not empty."""
        self._add(self._ids[0])

    def on_stop(self) -> None:
        """Delete every id, even if the answer to its addition was lost."""
        for face_id in self._ids:
            self.take_back(f"/delete_face/{face_id}", "/delete_face/[id]", **self._variant)

    @tag("search")
    @task(10)
    def match_face(self) -> None:
        self.ask("POST", "/match_face", data=self._variant, files={"file": file_of(self.photo())})

    @tag("enrol")
    @task(3)
    def add_face(self) -> None:
        self._add(CHANCE.choice(self._ids))

    @tag("manage")
    @task
    def delete_face(self) -> None:
        if self._add(self._ids[-1]):
            self.ask("DELETE", f"/delete_face/{self._ids[-1]}", name="/delete_face/[id]", params=self._variant)

    @tag("manage")
    @task
    def describe(self) -> None:
        self.ask("GET", "/list_faces", params=self._variant)
        self.ask("GET", "/stats", params=self._variant)

    def _add(self, face_id: str) -> Any:
        data = {"id": face_id, **self._variant}
        return self.ask("POST", "/add_face", data=data, files={"file": file_of(self.photo())})


class CompareUser(ServiceUser):
    """Compares pairs of photos, mostly with /mediapipe, as the older service recommended."""

    weight = 2

    @tag("compare")
    @task(3)
    def mediapipe(self) -> None:
        self._compare("/mediapipe")

    @tag("compare")
    @task
    def mtcnn(self) -> None:
        self._compare("/compare")

    def _compare(self, path: str) -> None:
        first, second = self.pair()
        self.ask("POST", path, json={"image1_base64": first.base64, "image2_base64": second.base64})


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
        first, second = map(self._embed, self.pair())
        if first and second:
            body = {"embedding1": first["embedding"], "embedding2": second["embedding"]}
            self.ask("POST", "/compare-faces", json=body)

    def _embed(self, photo: Photo) -> Any:
        return self.ask("POST", "/extract-embedding", files={"image": file_of(photo)})


class DeepfaceUser(ServiceUser):
    """Warms the DeepFace service up, extracts embeddings, and compares two of them."""

    weight = 2

    def on_start(self) -> None:
        """Load the networks before the first photo, as the older service required."""
        self.ask("POST", "/api/v1/warm-up")

    @tag("embed", "compare")
    @task(4)
    def compare(self) -> None:
        first, second = (self._embed(photo.base64) for photo in self.pair())
        if first and second:
            metric = CHANCE.choice(("cosine", "euclidean", "euclidean_l2"))
            body = {"embedding1": first["embedding"], "embedding2": second["embedding"], "distance_metric": metric}
            self.ask("POST", "/api/v1/compare-faces", json=body)

    @tag("embed")
    @task
    def extract_any_face(self) -> None:
        self._embed(self.photo().base64, enforce_detection=False, align=False)

    @tag("embed", BY_ADDRESS)
    @task
    def extract_by_address(self) -> None:
        body = {"image": self.options.photo_url, "image_type": "url"}
        self.ask("POST", "/api/v1/extract-embedding", name="/api/v1/extract-embedding by address", json=body)

    @tag("manage")
    @task
    def describe(self) -> None:
        self.ask("GET", "/api/v1/health")
        self.ask("GET", "/api/v1/model-info")

    def _embed(self, image: str, **options: bool) -> Any:
        return self.ask("POST", "/api/v1/extract-embedding", json={"image": image, **options})
