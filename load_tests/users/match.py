"""Clients of the facematch service: two photos in base64, or one of them by its address."""

from locust import tag, task

from load_tests.users.service_user import BY_ADDRESS, ServiceUser


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
