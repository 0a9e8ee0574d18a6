"""Clients of the face comparison service."""

from locust import tag, task

from load_tests.users.service_user import ServiceUser


class CompareUser(ServiceUser):
    """Compares pairs of photos, mostly with /mediapipe, as the old service recommended."""

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
