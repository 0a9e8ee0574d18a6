"""Clients of the DeepFace service: warm it up, extract embeddings, and compare two of them."""

from typing import Any

from locust import tag, task

from load_tests.users.service_user import BY_ADDRESS, CHANCE, ServiceUser

METRICS = ("cosine", "euclidean", "euclidean_l2")


class DeepfaceUser(ServiceUser):
    """Uses the routes below /api/v1/."""

    weight = 2

    def on_start(self) -> None:
        """Load the networks before the first photo, as the old service required."""
        self.ask("POST", "/api/v1/warm-up")

    @tag("embed", "compare")
    @task(4)
    def compare(self) -> None:
        first, second = (self._embed(photo.base64) for photo in self.pair())
        if first and second:
            body = {
                "embedding1": first["embedding"],
                "embedding2": second["embedding"],
                "distance_metric": CHANCE.choice(METRICS),
            }
            self.ask("POST", "/api/v1/compare-faces", json=body)

    @tag("embed")
    @task
    def extract_any_face(self) -> None:
        self._embed(self.photo().base64, enforce_detection=False, align=False)

    @tag("embed", BY_ADDRESS)
    @task
    def extract_by_address(self) -> None:
        body = {"image": self.options.photo_url, "image_type": "url"}
        # A line of its own, because it includes the other site's time.
        self.ask("POST", "/api/v1/extract-embedding", name="/api/v1/extract-embedding by address", json=body)

    @tag("manage")
    @task
    def describe(self) -> None:
        self.ask("GET", "/api/v1/health")
        self.ask("GET", "/api/v1/model-info")

    def _embed(self, image: str, **options: bool) -> Any:
        return self.ask("POST", "/api/v1/extract-embedding", json={"image": image, **options})
