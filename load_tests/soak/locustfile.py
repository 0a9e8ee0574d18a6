"""What `load_tests.soak` runs in Locust: clients that do what every user class does, one thing after the other.

Each request is written to the file of ``--records`` as it ends: `load_tests.soak.records` reads it.
"""

import json
import time
from argparse import ArgumentParser
from typing import Any

from locust import FastHttpUser, constant, events, task
from locust.env import Environment

# As a module: Locust would take its classes for classes of this file.
from load_tests import locustfile
from load_tests.soak import hostile
from load_tests.users.service_user import CHANCE, ServiceUser

USERS: tuple[type[ServiceUser], ...] = (
    *(getattr(locustfile, name) for name in locustfile.__all__),
    hostile.HostileUser,
)


class SoakUser(FastHttpUser):
    """One user of each class, of which one at a time does one of its tasks, as often as its class has weight."""

    wait_time = constant(0)

    def __init__(self, environment: Environment) -> None:
        super().__init__(environment)
        for each in USERS:
            each.host = str(self.host)
        self._users = [each(environment) for each in USERS]

    def on_start(self) -> None:
        """Let all of them come."""
        for user in self._users:
            user.on_start()

    def on_stop(self) -> None:
        """Let all of them take back what they enrolled."""
        for user in self._users:
            user.on_stop()  # type: ignore[no-untyped-call]

    @task
    def ask(self) -> None:
        """Let one of them do something."""
        [user] = CHANCE.choices(self._users, [user.weight for user in self._users])
        chosen: Any = CHANCE.choice(user.tasks)
        chosen(user)


def add_options(parser: ArgumentParser) -> None:
    """Declare the file."""
    parser.add_argument("--records", metavar="FILE", required=True, help="Gets a line of JSON for each request.")


def keep_records(environment: Environment, **_: Any) -> None:
    """Write down each request from now on."""
    assert environment.parsed_options is not None
    file = open(environment.parsed_options.records, "w", buffering=1, encoding="utf-8")  # noqa: SIM115

    def record(name: str, response_time: float | None, exception: Exception | None, **_: Any) -> None:
        problem = str(exception) if exception else None
        file.write(json.dumps([time.monotonic(), name, response_time, problem]) + "\n")

    listened: Any = environment.events
    listened.request.add_listener(record)
    listened.quit.add_listener(lambda **_: file.close())


hooks: Any = events
hooks.init_command_line_parser.add_listener(add_options)
hooks.init.add_listener(keep_records)
