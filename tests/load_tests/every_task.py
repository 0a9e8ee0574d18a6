"""`python -m tests.load_tests.every_task LOCUST-OPTIONS` runs each task of the named users, or of all users, once.

A process of its own, because Locust replaces much of the standard library where it is imported.
"""

import sys
from typing import Any

import locust
from locust.argument_parser import get_parser
from locust.env import Environment

from load_tests import locustfile


def main() -> None:
    """Start each user, run all of its tasks, and stop it."""
    options = get_parser().parse_args(sys.argv[1:])
    users: list[Any] = [each for each in locustfile.USERS if each.__name__ in (options.user_classes or [each.__name__])]
    hooks: Any = locust.events
    environment = Environment(user_classes=users, events=hooks, host=options.host, parsed_options=options)
    hooks.init.fire(environment=environment, runner=None, web_ui=None)
    for each in environment.user_classes:
        each.host = options.host
        user: Any = each(environment)
        user.on_start()
        for task in dict.fromkeys(user.tasks):
            task(user)
        user.on_stop()
    hooks.quit.fire(exit_code=0)


if __name__ == "__main__":
    main()
