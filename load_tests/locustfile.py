"""Load on every route with Locust: `locust -f load_tests/locustfile.py`, from the project's folder.

docs/load_testing.md describes the user classes and options. `load_tests.users.service_user.ServiceUser.ask` decides
what counts as a failure.
"""

import logging
import sys
import time
from argparse import ArgumentParser
from collections.abc import Callable, Mapping
from typing import Any

from locust import User, events
from locust.env import Environment
from locust.runners import WorkerRunner
from locust.stats import StatsEntry

from load_tests.ramp import Ramp
from load_tests.records import Request, write
from load_tests.users.checked import CheckedUser
from load_tests.users.fixed_request import FixedRequestUser
from load_tests.users.service_user import load
from load_tests.users.soak import ALL, MixedUser

logger = logging.getLogger(__name__)

USERS: tuple[type[User], ...] = (*ALL, MixedUser, FixedRequestUser, CheckedUser)
# Locust looks for the classes in this module.
globals().update({each.__name__: each for each in USERS})


THINK: dict[str, Any] = {"nargs": 2, "type": float, "default": [0.5, 2.0], "metavar": ("MIN", "MAX")}
OPTIONS: dict[str, dict[str, Any]] = {
    "--think-time": {**THINK, "help": "Seconds between two tasks of a user; default 0.5 2."},
    "--photos": {"metavar": "FOLDER", "help": "Photos of one face each to send; default: sample photos."},
    "--photo-url": {"metavar": "URL", "help": "Address of a photo; without it none is sent by address."},
    "--ramp": {"metavar": "STEPS", "help": "users:seconds steps instead of -u and -t: 4:30,16:60,1:30."},
    "--records": {"metavar": "FILE", "help": "Append a JSON line for each request to this file."},
    "--fixed-path": {"metavar": "PATH", "help": "Path that FixedRequestUser posts to."},
    "--fixed-body": {"metavar": "FILE", "help": "JSON file that it posts."},
    "--fixed-count": {"type": int, "metavar": "N", "help": "Most requests of all users."},
}
"""What this file adds to Locust's command line. The types are plain, because Locust sends options to its workers."""


LIMITS: Mapping[str, tuple[str, Callable[[StatsEntry], float]]] = {
    "max_fail_ratio": ("share of failed and refused requests", lambda total: total.fail_ratio),
    "max_p95_ms": ("95th percentile", lambda total: total.get_response_time_percentile(0.95)),
    "max_avg_ms": ("mean response time", lambda total: total.avg_response_time),
    "min_rps": ("rate of requests served", lambda total: total.total_rps - total.total_fail_per_sec),
}
"""For each option the figure's name, and the figure in Locust's statistics."""


def add_options(parser: ArgumentParser) -> None:
    """Declare the options."""
    # A user that is cut off in the middle of a request would leave its enrolled faces behind.
    parser.set_defaults(stop_timeout="60")
    users = parser.add_argument_group("facegraph: users")
    for name, options in OPTIONS.items():
        users.add_argument(name, **options)
    limits = parser.add_argument_group("facegraph: limits", "The exit status is 1 if one is broken.")
    for name, (figure, _) in LIMITS.items():
        limits.add_argument(f"--{name.replace('_', '-')}", type=float, help=f"Limit of the {figure}.")


def prepare(environment: Environment, **_: Any) -> None:
    """Read the photos, drop users without a task, and apply ``--ramp`` and ``--records``."""
    options = environment.parsed_options
    assert options is not None
    environment.user_classes[:] = [each for each in environment.user_classes if _runs(each, options)]
    try:
        if set(environment.user_classes) != {FixedRequestUser}:
            load(options.photos)
        if options.ramp:
            environment.shape_class = Ramp(options.ramp, options.spawn_rate)
            environment.shape_class.runner = environment.runner
    except ValueError as error:
        sys.exit(f"locust: {error}")
    if options.records:
        _record_to(options.records, environment.events)


def judge(environment: Environment, **_: Any) -> None:
    """Log the limits that were broken, and set the exit status."""
    options, runner = environment.parsed_options, environment.runner
    if options is None or runner is None or isinstance(runner, WorkerRunner):
        return
    lines = broken(vars(options), environment.stats.total)
    for line in lines:
        logger.error("limit broken: %s", line)
    if lines:
        environment.process_exit_code = 1
    elif options.max_fail_ratio is not None and not runner.exceptions:
        # By default Locust exits with 1 if a single request failed.
        environment.process_exit_code = 0


def broken(limits: Mapping[str, float | None], total: StatsEntry) -> list[str]:
    """One line for each limit that is set and broken; no limit holds if no request was served."""
    given = {name: limit for name in LIMITS if (limit := limits[name]) is not None}
    if given and total.num_requests == total.num_failures:
        return ["no request was served"]
    found = {name: LIMITS[name][1](total) for name in given}
    return [
        f"--{name.replace('_', '-')} {limit:g}: the {LIMITS[name][0]} was {found[name]:.4g}"
        for name, limit in given.items()
        if (found[name] < limit if name.startswith("min") else found[name] > limit)
    ]


def _record_to(path: str, listened: Any) -> None:
    """Write each request to a file from now on."""
    file = open(path, "a", buffering=1, encoding="utf-8")  # noqa: SIM115

    def record(name: str, response_time: float | None, exception: Exception | None, **more: Any) -> None:
        response = more.get("response")
        details = {"status": getattr(response, "status_code", 0), **more["context"]}
        if timing := (getattr(response, "headers", None) or {}).get("Server-Timing"):
            details["server_timing"] = timing
        problem = str(exception) or repr(exception) if exception else None
        write(file, Request(time.monotonic(), name, response_time, problem, details))

    listened.request.add_listener(record)
    listened.quit.add_listener(lambda **_: file.close())


def _runs(user: type[User], options: Any) -> bool:
    """Whether the class is to run: named if it has to be, with a task that ``--tags`` and ``--exclude-tags`` leave."""
    if getattr(user, "only_by_name", False) and user.__name__ not in (options.user_classes or ()):
        return False
    wanted, unwanted = set(options.tags or ()), set(options.exclude_tags or ())
    tags: list[set[str]] = [getattr(task, "locust_tag_set", set()) for task in user.tasks]
    return any((not wanted or own & wanted) and not own & unwanted for own in tags)


# Locust's hooks have no types.
hooks: Any = events
hooks.init_command_line_parser.add_listener(add_options)
hooks.init.add_listener(prepare)
hooks.quitting.add_listener(judge)
