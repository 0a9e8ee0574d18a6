"""Who looks after the service: a monitor that asks whether it is well, and now and then an operator."""

from locust import tag, task

from load_tests.users.service_user import ServiceUser


class OperatorUser(ServiceUser):
    """Asks for the service's health, its stages and metrics, lists the collections, and erases what was deleted."""

    @tag("manage")
    @task(10)
    def health(self) -> None:
        self.ask("GET", "/health")

    @tag("manage")
    @task(2)
    def probes(self) -> None:
        self.ask("GET", "/livez")
        self.ask("GET", "/readyz")

    @tag("manage")
    @task(2)
    def status(self) -> None:
        self.ask("GET", "/v1/status")

    @tag("manage")
    @task
    def metrics(self) -> None:
        self.ask("GET", "/metrics")

    @tag("manage")
    @task
    def root(self) -> None:
        self.ask("GET", "/")

    @tag("manage")
    @task(2)
    def collections(self) -> None:
        self.ask("GET", "/v1/collections")

    @tag("manage")
    @task
    def clean(self) -> None:
        self.ask("POST", "/v1/gallery/clean")
