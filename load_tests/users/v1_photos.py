"""Clients of /v1 without a gallery."""

from locust import tag, task

from load_tests.users.service_user import CHANCE, ServiceUser, file_of


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
        answers = [self.ask("POST", "/v1/embed", files={"photo": file_of(photo)}) for photo in self.pair()]
        found = [answer["faces"][0]["embedding"] for answer in answers if answer and answer["faces"]]
        if len(found) == 2:
            self.ask("POST", "/v1/compare", json={"embedding1": found[0], "embedding2": found[1]})

    @tag("manage")
    @task
    def models(self) -> None:
        self.ask("GET", "/v1/models")
