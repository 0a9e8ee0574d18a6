"""Schedules of users."""

import pytest

from load_tests.ramp import Step, steps, users_at


def test_steps_are_read_in_order() -> None:
    assert steps("4:30,16:0.5,1:30") == [Step(4, 30), Step(16, 0.5), Step(1, 30)]


@pytest.mark.parametrize("text", ["", "4", "4:", ":3", "4:30,", "4.5:3", "0:3", "-1:3", "4:0", "4:-1", "4:inf"])
def test_what_is_no_schedule_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"is not (users:seconds|at least one user)"):
        steps(text)


@pytest.mark.parametrize(
    ("seconds", "users"), [(0, 4), (29.9, 4), (30, 16), (89.9, 16), (90, 1), (119.9, 1), (120, None), (1000, None)]
)
def test_each_step_begins_when_the_one_before_has_lasted(seconds: float, users: int | None) -> None:
    assert users_at(steps("4:30,16:60,1:30"), seconds) == users
