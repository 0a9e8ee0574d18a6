"""Clients that send one and the same request."""

import time
from itertools import count
from pathlib import Path
from typing import Any, ClassVar

from locust import task
from locust.env import Environment
from locust.exception import StopUser

from load_tests.users.service_user import PAUSE_S, ServiceUser


class FixedRequestUser(ServiceUser):
    """Posts the file of ``--fixed-body`` to ``--fixed-path``, at most ``--fixed-count`` times in all.

    It sends its next request as soon as it has an answer. After a failure it waits as the service asks, unless the
    number of requests is fixed.
    """

    only_by_name = True
    sent: ClassVar = count()
    """Numbers the requests of all users."""

    def __init__(self, environment: Environment) -> None:
        super().__init__(environment)
        self._body = Path(self.options.fixed_body).read_bytes()

    @task
    def send(self) -> None:
        most, headers = self.options.fixed_count, {"Content-Type": "application/json"}
        if most and next(self.sent) >= most:
            raise StopUser
        path = self.options.fixed_path
        answer = self.ask("POST", path, data=self._body, headers=headers, inspect=similarity)
        if answer is None and not most:
            time.sleep(PAUSE_S)


def similarity(answer: Any) -> dict[str, Any]:
    """The cosine similarity in an answer, if it has one."""
    found = answer.get("similarity_score", answer.get("similarity"))
    return {} if found is None else {"similarity": found}
