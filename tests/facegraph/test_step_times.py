"""Reading the Server-Timing header, and deriving further steps."""

import pytest

from facegraph.step_times import median_steps, parse_server_timing, with_derived_steps


@pytest.mark.parametrize(
    ("header", "steps"),
    [
        ("", {}),
        ("cache", {}),
        ('detector;desc="mtcnn";dur=60.0, detector-busy;dur=58.0', {"detector": 60.0, "detector-busy": 58.0}),
        ('a;desc="x, y;dur=9";dur=2', {"a": 2.0}),
        ("a;dur=2;desc=x,b ; dur = 3", {"a": 2.0, "b": 3.0}),
        ("a;dur=1.5, a;dur=2", {"a": 3.5}),
    ],
)
def test_durations_are_read_from_the_header(header: str, steps: dict[str, float]) -> None:
    assert parse_server_timing(header) == steps


def test_further_steps_are_derived() -> None:
    steps = {"total": 101.0, "ingress": 3.0, "detector": 60.0, "detector-busy": 58.0, "embedder": 20.0}
    assert with_derived_steps(steps, 105.5) == {
        **steps,
        "client": 105.5,
        "http": 4.5,
        "detector-hop": 2.0,
        "networks": 38.0,
    }
    assert with_derived_steps({}, 12.0) == {"client": 12.0}


def test_medians_are_over_the_responses_that_have_the_step() -> None:
    assert median_steps([{"a": 1.0, "b": 5.0}, {"a": 9.0}, {"a": 2.0}]) == {"a": 2.0, "b": 5.0}
