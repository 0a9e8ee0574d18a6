"""Clients that send one and the same request."""

import time
from collections import Counter
from threading import Thread
from typing import Any, ClassVar

from locust import task
from locust.env import Environment
from locust.exception import StopUser

from load_tests.users.service_user import PAUSE_S, ServiceUser

SIMILARITIES = ("similarity_score", "similarity")
"""The field of an answer that has the cosine similarity, in the contracts that compare photos."""


class FixedRequestUser(ServiceUser):
    """Posts the file of ``--fixed-body`` to ``--fixed-path``, at most ``--fixed-count`` times in all.

    It sends its next request as soon as it has an answer. After a failure it waits as the service asks, unless the
    number of requests is fixed.
    """

    only_by_name = True
    counts: ClassVar[Counter[str]] = Counter()
    """The requests of all users that were sent and that have ended."""

    def __init__(self, environment: Environment) -> None:
        super().__init__(environment)
        with open(self.options.fixed_body, "rb") as file:
            self._body = file.read()

    @task
    def send(self) -> None:
        most = self.options.fixed_count
        if most and self.counts["sent"] >= most:
            raise StopUser
        self.counts["sent"] += 1
        headers = {"Content-Type": "application/json"}
        path = self.options.fixed_path
        answer = self.ask("POST", path, data=self._body, headers=headers, inspect=similarity)
        self.counts["ended"] += 1
        if self.counts["ended"] == most:
            # In a thread of its own, because the end of the run ends this one.
            Thread(target=self.environment.runner.quit).start()
        if answer is None and not most:
            time.sleep(PAUSE_S)


def similarity(answer: Any) -> dict[str, Any]:
    """The similarity in an answer, if it has one."""
    return next(({"similarity": answer[name]} for name in SIMILARITIES if name in answer), {})
