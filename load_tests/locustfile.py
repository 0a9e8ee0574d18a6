"""Load on every route with Locust: `locust -f load_tests/locustfile.py`, from the project's folder.

Each user class is the clients of one contract, with think time and clean-up; Locust's own means choose among
them: names of classes, or ``--tags``. docs/load_testing.md tells the options. What counts as a failure is in
`load_tests.users.service_user.ServiceUser.ask`.
"""

import logging
import sys
from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Sequence
from typing import Any

from locust import LoadTestShape, User, events
from locust.env import Environment
from locust.runners import WorkerRunner

from load_tests.limits import Limits, Outcome, broken
from load_tests.photos import NoPhotosError
from load_tests.ramp import Step, steps, users_at
from load_tests.users.compare import CompareUser
from load_tests.users.deepface import DeepfaceUser
from load_tests.users.face_database import FaceDatabaseUser
from load_tests.users.faces import FacesUser
from load_tests.users.match import MatchUser
from load_tests.users.operation import OperatorUser
from load_tests.users.service_user import load
from load_tests.users.v1_gallery import GalleryUser
from load_tests.users.v1_photos import PhotosUser
from models.errors import ModelError

__all__ = (
    "CompareUser",
    "DeepfaceUser",
    "FaceDatabaseUser",
    "FacesUser",
    "GalleryUser",
    "MatchUser",
    "OperatorUser",
    "PhotosUser",
)

logger = logging.getLogger(__name__)


class Ramp(LoadTestShape):
    """The schedule of ``--ramp``."""

    # Locust would follow any other shape in this file always.
    abstract = True

    def __init__(self, schedule: Sequence[Step], spawn_rate: float | None) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._schedule = schedule
        self._rate = spawn_rate or max(step.users for step in schedule)

    def tick(self) -> tuple[int, float] | None:
        """How many users there are now, and how many come or go a second; None at the end."""
        users = users_at(self._schedule, self.get_run_time())  # type: ignore[no-untyped-call]
        return None if users is None else (users, self._rate)


def add_options(parser: ArgumentParser) -> None:
    """Declare what this file adds to Locust's command line, all of it of plain types, as workers receive it."""
    # A user that is cut off in the middle of a request leaves a face behind that nobody deletes.
    parser.set_defaults(stop_timeout="60")
    users = parser.add_argument_group("facegraph: users")
    users.add_argument(
        "--think-time",
        nargs=2,
        type=_not_negative,
        default=[0.5, 2.0],
        metavar=("MIN", "MAX"),
        help="Seconds that a user waits between two tasks; default 0.5 2.",
    )
    users.add_argument("--photos", metavar="FOLDER", help="Photos of one face each to send; default: sample photos.")
    users.add_argument("--photo-url", metavar="URL", help="Address of a photo; without it none is sent by address.")
    users.add_argument(
        "--ramp", type=_ramp, metavar="STEPS", help="users:seconds steps, as in 4:30,16:60,1:30, for -u and -t."
    )
    limits = parser.add_argument_group("facegraph: limits", "The exit status is 1 where one is broken.")
    limits.add_argument("--max-fail-ratio", type=_not_negative, help="Most failed and refused requests, of all: 0.01.")
    limits.add_argument("--max-p95-ms", type=_not_negative, help="Largest 95th percentile of the response times.")
    limits.add_argument("--max-avg-ms", type=_not_negative, help="Largest mean of the response times.")
    limits.add_argument("--min-rps", type=_not_negative, help="Fewest requests a second that are served.")


def prepare(environment: Environment, **_: Any) -> None:
    """Read the photos, leave out users without a task, and take the schedule over."""
    options = environment.parsed_options
    assert options is not None
    try:
        load(options.photos)
    except (NoPhotosError, ModelError) as error:
        sys.exit(f"locust: {error}")
    environment.user_classes[:] = [each for each in environment.user_classes if _has_task(each, options)]
    if options.ramp:
        if options.num_users or options.run_time:
            logger.warning("--ramp says how many users there are and when the test ends: -u and -t are not used")
        environment.shape_class = Ramp(steps(options.ramp), options.spawn_rate)
        environment.shape_class.runner = environment.runner


def judge(environment: Environment, **_: Any) -> None:
    """Say which limits were broken, and let the exit status say so, too."""
    options, runner = environment.parsed_options, environment.runner
    if options is None or runner is None or isinstance(runner, WorkerRunner):
        return
    limits = Limits(options.max_fail_ratio, options.max_p95_ms, options.max_avg_ms, options.min_rps)
    total = environment.stats.total
    lines = broken(
        limits,
        Outcome(
            served=total.num_requests - total.num_failures,
            fail_ratio=total.fail_ratio,
            p95_ms=total.get_response_time_percentile(0.95),
            avg_ms=total.avg_response_time,
            rps=total.total_rps - total.total_fail_per_sec,
        ),
    )
    for line in lines:
        logger.error("limit broken: %s", line)
    if lines:
        environment.process_exit_code = 1
    elif limits.max_fail_ratio is not None and not runner.exceptions:
        # Locust's own rule is 1 for a single failure.
        environment.process_exit_code = 0


def _has_task(user: type[User], options: Any) -> bool:
    """Whether ``--tags`` and ``--exclude-tags`` leave a task to `user`."""
    tags = [set(getattr(task, "locust_tag_set", ())) for task in user.tasks]
    return any(
        not (options.tags and own.isdisjoint(options.tags)) and own.isdisjoint(options.exclude_tags or ())
        for own in tags
    )


def _not_negative(text: str) -> float:
    number = float(text)
    if not 0 <= number < float("inf"):
        raise ArgumentTypeError(f"{text} is not a number from 0")
    return number


def _ramp(text: str) -> str:
    try:
        steps(text)
    except ValueError as error:
        raise ArgumentTypeError(str(error)) from None
    return text


# Locust's hooks have no types.
hooks: Any = events
hooks.init_command_line_parser.add_listener(add_options)
hooks.init.add_listener(prepare)
hooks.quitting.add_listener(judge)
