"""`python -m tests.load_tests.drive LOCUST-OPTIONS`: every task of the users of the load tests, once.

Prints a JSON line for each request that Locust recorded. A process of its own, because Locust replaces much of
the standard library where it is imported.
"""

import json
import sys
from typing import Any

import locust
from locust import User
from locust.argument_parser import get_parser
from locust.env import Environment

from load_tests import locustfile


def main() -> None:
    """Let each user come, do everything that it can do, and go."""
    options = get_parser().parse_args(sys.argv[1:])
    names = options.user_classes or locustfile.__all__
    users: list[type[User]] = [getattr(locustfile, name) for name in names]
    hooks: Any = locust.events
    hooks.request.add_listener(record)
    environment = Environment(user_classes=users, events=hooks, host=options.host, parsed_options=options)
    hooks.init.fire(environment=environment, runner=None, web_ui=None)
    for each in environment.user_classes:
        each.host = options.host
        user: Any = each(environment)
        user.on_start()
        for task in dict.fromkeys(user.tasks):
            task(user)
        user.on_stop()


def record(request_type: str, name: str, response_time: float | None, exception: Exception | None, **_: Any) -> None:
    """Print what Locust recorded of one request."""
    problem = str(exception) if exception else None
    request = {"method": request_type, "name": name, "timed": response_time is not None, "problem": problem}
    print(json.dumps(request))


if __name__ == "__main__":
    main()
