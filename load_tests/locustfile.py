"""Locust load test for every route: `locust -f load_tests/locustfile.py` (docs/load_testing.md)."""

import logging
import re
import sys
import time
from argparse import ArgumentParser
from collections.abc import Callable, Mapping
from typing import Any

from locust import LoadTestShape, events
from locust.env import Environment
from locust.runners import WorkerRunner
from locust.stats import StatsEntry

from facegraph.step_times import parse_server_timing, with_derived_steps
from load_tests.records import Request, write
from load_tests.users.comparing import CheckedUser, FixedRequestUser
from load_tests.users.service_user import BY_ADDRESS, ServiceUser, load
from load_tests.users.soak import ALL, MixedUser

logger = logging.getLogger(__name__)

USERS: tuple[type[ServiceUser], ...] = (*ALL, MixedUser, FixedRequestUser, CheckedUser)
# Locust looks for the classes in this module.
globals().update({each.__name__: each for each in USERS})

LIMITS: Mapping[str, tuple[str, Callable[[StatsEntry], float]]] = {
    "max_fail_ratio": ("ratio of failed and refused requests", lambda total: total.fail_ratio),
    "max_p95_ms": ("95th percentile", lambda total: total.get_response_time_percentile(0.95)),
    "max_avg_ms": ("mean response time", lambda total: total.avg_response_time),
    "min_rps": ("rate of requests served", lambda total: total.total_rps - total.total_fail_per_sec),
}
"""By option: the name of the metric, and a function that reads it from Locust's statistics."""


def add_options(parser: ArgumentParser) -> None:
    """Declare additional Locust options. Their types are plain, because Locust sends options to its workers."""
    # A user stopped mid-request would leave its enrolled faces behind.
    parser.set_defaults(stop_timeout="60")
    think: dict[str, Any] = {"nargs": 2, "type": float, "default": [0.5, 2.0], "metavar": ("MIN", "MAX")}
    add = parser.add_argument_group("facegraph: users").add_argument
    add("--think-time", **think, help="Minimum and maximum seconds between two tasks of a user; default: 0.5 2.")
    add("--photos", metavar="FOLDER", help="Folder of single-face photos to send; default: sample photos.")
    add("--photo-url", metavar="URL", help="URL of a photo to send by URL; by default, no photos are sent by URL.")
    add("--ramp", metavar="STEPS", help="users:seconds steps instead of -u and -t, e.g. 4:30,16:60,1:30.")
    add("--records", metavar="FILE", help="Append a JSON line for each request to this file.")
    add("--fixed-path", metavar="PATH", help="Path that FixedRequestUser posts to.")
    add("--fixed-body", metavar="FILE", help="JSON file to post.")
    add("--fixed-count", type=int, metavar="N", help="Maximum number of requests in total.")
    limits = parser.add_argument_group("facegraph: limits", "The exit status is 1 if a limit is exceeded.")
    for name, (figure, _) in LIMITS.items():
        limits.add_argument(f"--{name.replace('_', '-')}", type=float, help=f"Limit for the {figure}.")


def prepare(environment: Environment, **_: Any) -> None:
    """Read the photos, drop tasks and users that were not selected, and apply ``--ramp`` and ``--records``."""
    options = environment.parsed_options
    assert options is not None
    named, wanted = options.user_classes or (), set(options.tags or ())
    unwanted = {*(options.exclude_tags or ()), *(() if options.photo_url else (BY_ADDRESS,))}
    for each in USERS:
        tags: dict[Any, set[str]] = {task: getattr(task, "locust_tag_set", set()) for task in each.tasks}
        kept = {task for task, own in tags.items() if (not wanted or own & wanted) and not own & unwanted}
        each.tasks = [task for task in each.tasks if task in kept]
    users: list[Any] = environment.user_classes
    users[:] = [each for each in users if each.tasks and (each.__name__ in named or not each.only_by_name)]
    try:
        if set(users) != {FixedRequestUser}:
            load(options.photos)
        if options.ramp:
            environment.shape_class = Ramp(options.ramp, options.spawn_rate)
            environment.shape_class.runner = environment.runner
    except ValueError as error:
        sys.exit(f"locust: {error}")
    if options.records:
        _record_to(options.records, environment.events)


def judge(environment: Environment, **_: Any) -> None:
    """Log each exceeded limit and set the exit status. If no request succeeded, every limit counts as exceeded."""
    options, runner = environment.parsed_options, environment.runner
    if options is None or runner is None or isinstance(runner, WorkerRunner):
        return
    total, broken = environment.stats.total, list[str]()
    given = {name: limit for name in LIMITS if (limit := vars(options)[name]) is not None}
    if given and total.num_requests == total.num_failures:
        given, broken = {}, ["no request was served"]
    for name, limit in given.items():
        what, figure = LIMITS[name][0], LIMITS[name][1](total)
        if figure < limit if name.startswith("min") else figure > limit:
            broken.append(f"--{name.replace('_', '-')} {limit:g}: the {what} was {figure:.4g}")
    for line in broken:
        logger.error("limit exceeded: %s", line)
    if broken:
        environment.process_exit_code = 1
    elif options.max_fail_ratio is not None and not runner.exceptions:
        # By default, Locust exits with 1 if any request failed.
        environment.process_exit_code = 0


def _record_to(path: str, listened: Any) -> None:
    """Write each request to a file as it ends."""
    file = open(path, "a", buffering=1, encoding="utf-8")  # noqa: SIM115

    def record(name: str, response_time: float | None, exception: Exception | None, **more: Any) -> None:
        response = more.get("response")
        details = {"status": getattr(response, "status_code", 0), **more["context"]}
        if timing := (getattr(response, "headers", None) or {}).get("Server-Timing"):
            details["steps"] = with_derived_steps(parse_server_timing(timing), response_time or 0)
        problem = str(exception) or repr(exception) if exception else None
        write(file, Request(time.monotonic(), name, response_time, problem, details))

    listened.request.add_listener(record)


class Ramp(LoadTestShape):
    """``users:seconds`` steps, separated by commas, as in ``4:30,16:60,1:30``; raises ValueError for other text."""

    # Otherwise Locust would always use the shape that it finds in the locustfile.
    abstract = True

    def __init__(self, text: str, spawn_rate: float | None) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        if not re.fullmatch(r"([1-9]\d*:\d+(\.\d+)?(,(?!$)|$))+", text):
            raise ValueError(f"{text!r} is not users:seconds steps, as in 4:30,16:60")
        steps = (step.split(":") for step in text.split(","))
        self._steps = [(int(users), float(seconds)) for users, seconds in steps]
        self._rate = spawn_rate or max(users for users, _ in self._steps)

    def tick(self) -> tuple[int, float] | None:
        """Return the current number of users, and how many start or stop per second; None at the end."""
        left = self.get_run_time()  # type: ignore[no-untyped-call]
        for users, seconds in self._steps:
            if left < seconds:
                return users, self._rate
            left -= seconds
        return None


# Locust's hooks have no types.
hooks: Any = events
hooks.init_command_line_parser.add_listener(add_options)
hooks.init.add_listener(prepare)
hooks.quitting.add_listener(judge)
