"""`python -m tests.load_tests.soak.drive --host URL --records FILE`: the soak's users, a fixed number of steps each.

A process of its own, because Locust replaces much of the standard library where it is imported.
"""

import sys
from random import Random
from typing import Any

import locust
from locust.argument_parser import get_parser
from locust.env import Environment

from load_tests.soak import hostile, locustfile

STEPS = 100


def main() -> None:
    """Let a client of the soak come, do its steps and go, and a hostile one do each of its tasks as often."""
    modules: Any = (hostile, locustfile)
    for module in modules:
        module.CHANCE = Random(0)
    options = get_parser().parse_args(sys.argv[1:])
    users: Any = (locustfile.SoakUser, hostile.HostileUser)
    hooks: Any = locust.events
    environment = Environment(user_classes=list(users), events=hooks, host=options.host, parsed_options=options)
    hooks.init.fire(environment=environment, runner=None, web_ui=None)
    for each in users:
        each.host = options.host
        user = each(environment)
        user.on_start()
        for task in dict.fromkeys(user.tasks):
            for _ in range(STEPS):
                task(user)
        user.on_stop()
    hooks.quit.fire(exit_code=0)


if __name__ == "__main__":
    main()
