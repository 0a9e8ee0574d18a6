"""The Server-Timing header and what follows from it."""

import pytest

from facegraph.step_times import completed, medians, parsed

HEADER = (
    "total;dur=101.0, ingress;dur=3.0, "
    'detector;desc="mtcnn";dur=60.0, detector-busy;dur=58.0, decode;dur=7.1, detect;dur=44.0, crop;dur=4.2, '
    'measure;dur=3.1, liveness;desc="crmnet";dur=38.0, liveness-busy;dur=33.0, '
    'embedder;desc="arcface";dur=20.0, embedder-busy;dur=14.5'
)


def test_every_duration_of_a_header_is_read() -> None:
    assert parsed(HEADER) == {
        "total": 101.0,
        "ingress": 3.0,
        "detector": 60.0,
        "detector-busy": 58.0,
        "decode": 7.1,
        "detect": 44.0,
        "crop": 4.2,
        "measure": 3.1,
        "liveness": 38.0,
        "liveness-busy": 33.0,
        "embedder": 20.0,
        "embedder-busy": 14.5,
    }


@pytest.mark.parametrize(
    ("header", "steps"),
    [
        ("", {}),
        ("cache", {}),
        ('a;desc="x, y;dur=9";dur=2', {"a": 2.0}),
        ("a;dur=2;desc=x,b ; dur = 3", {"a": 2.0, "b": 3.0}),
        ("a;dur=1.5, a;dur=2", {"a": 3.5}),
    ],
)
def test_odd_headers(header: str, steps: dict[str, float]) -> None:
    assert parsed(header) == steps


def test_what_is_not_in_the_header_follows_from_it() -> None:
    found = completed(parsed(HEADER), 105.5)
    assert found["client"] == 105.5
    assert found["http"] == 4.5
    assert found["detector-hop"] == 2.0
    assert found["liveness-hop"] == 5.0
    assert found["embedder-hop"] == 5.5
    assert found["networks"] == 38.0
    assert found["networks-busy"] == 33.0
    assert found["networks-hop"] == 5.0
    assert found["decode"] == 7.1


def test_a_route_without_liveness() -> None:
    steps = parsed("total;dur=50, ingress;dur=2, detector;dur=30, detector-busy;dur=29, embedder;dur=18")
    found = completed({**steps, "embedder-busy": 16.0}, 51)
    assert (found["networks"], found["networks-busy"]) == (18.0, 16.0)
    assert "liveness-hop" not in found


def test_a_server_that_tells_nothing() -> None:
    assert completed({}, 12.0) == {"client": 12.0}


def test_medians_are_of_the_answers_that_have_the_step() -> None:
    assert medians([{"a": 1.0, "b": 5.0}, {"a": 9.0}, {"a": 2.0}]) == {"a": 2.0, "b": 5.0}
