"""Recording a request, the header that reports it, and statistics of recent calls."""

import asyncio
import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telemetry.call_window import MAX_CALLS, WINDOW_S, CallStatistics, CallWindow
from telemetry.request_record import (
    RequestRecord,
    StageCall,
    TimedAnswer,
    count_match,
    count_outcome,
    covered,
    record_call,
    recording,
)


def test_header_sums_up_each_kind_in_the_order_of_its_calls() -> None:
    record = RequestRecord(10.0)
    record.calls = [
        StageCall("detector", "mtcnn", 10.0, 10.25, TimedAnswer(None, 0.125, {"decode": 0.0625})),
        StageCall("detector", "mediapipe", 10.125, 10.375, TimedAnswer(None, 0.125, {"decode": 0.03125, "crop": 0.25})),
        StageCall("detector", "mtcnn", 10.5, 10.75),
        StageCall("gallery", "find", 10.75, 10.875),
    ]
    assert record.header(11.0).split(", ") == [
        "total;dur=1000.0",
        "ingress;dur=250.0",
        'detector;desc="mtcnn mediapipe";dur=750.0',
        "detector-busy;dur=250.0",
        "decode;dur=93.8",
        "crop;dur=250.0",
        'gallery;desc="find";dur=125.0',
    ]


@given(st.text(min_size=1))
def test_no_label_breaks_the_header(label: str) -> None:
    record = RequestRecord(0.0)
    record.calls.append(StageCall("detector", label, 0.0, 1.0))
    found = re.fullmatch(r"total;dur=1000\.0, ingress;dur=0\.0, detector;desc=(.+);dur=1000\.0", record.header(1.0))
    assert found is not None
    assert found[1].isascii()
    assert found[1].isprintable()
    assert json.loads(found[1]) == label


# Whole numbers, which floats add up exactly.
@given(st.lists(st.tuples(st.integers(0, 100), st.integers(0, 50)).map(lambda it: (it[0], it[0] + it[1]))))
def test_covered_length_is_that_of_the_union(intervals: list[tuple[int, int]]) -> None:
    assert covered(intervals) == len({unit for start, end in intervals for unit in range(start, end)})


def test_nothing_is_recorded_before_and_after_a_request() -> None:
    def happen() -> None:
        record_call(StageCall("detector", "mtcnn", 0.0, 1.0))
        count_outcome("face", "found")

    happen()
    with pytest.raises(RuntimeError), recording(0.0) as record:
        raise RuntimeError
    happen()
    assert (record.calls, record.outcomes) == ([], {})


def test_outcomes_are_counted() -> None:
    with recording(0.0) as record:
        count_outcome("face", "found", 3)
        count_outcome("face", "found", 2)
        count_outcome("liveness", "spoof")
        assert count_match(True) is True
        assert count_match(False) is False
    matches = {("match", "match"): 1, ("match", "no_match"): 1}
    assert record.outcomes == {("face", "found"): 5, ("liveness", "spoof"): 1, **matches}


async def test_concurrent_requests_record_the_calls_of_their_own_tasks() -> None:
    async def call(label: str) -> None:
        await asyncio.sleep(0)
        record_call(StageCall("gallery", label, 0.0, 0.25))

    async def request(name: str) -> list[str]:
        with recording(0.0) as record:
            await asyncio.gather(call(f"{name} 1"), call(f"{name} 2"))
        return [call.label for call in record.calls]

    first, second = await asyncio.gather(request("a"), request("b"))
    assert (first, second) == (["a 1", "a 2"], ["b 1", "b 2"])


def window(*seconds: float, now: float = 0.0) -> CallWindow:
    """A window with calls of these durations that ended at 0."""
    made = CallWindow(lambda: now)
    for each in seconds:
        made.begin()
        made.end(-each, 0.0)
    return made


def test_call_is_ongoing_until_it_ends() -> None:
    made = window()
    made.begin()
    assert made.statistics == CallStatistics(1, 0, None, None)
    made.end(-1.0, 0.0)
    assert made.statistics == CallStatistics(0, 1, 1.0, 1.0)


@pytest.mark.parametrize(
    ("seconds", "p50", "p95"),
    [([3.0, 1.0], 1.0, 3.0), ([3.0, 1.0, 2.0], 2.0, 3.0), ([*map(float, range(1, 101))], 50.0, 95.0)],
)
def test_quantiles_are_of_the_nearest_rank(seconds: list[float], p50: float, p95: float) -> None:
    assert window(*seconds).statistics == CallStatistics(0, len(seconds), p50, p95)


def test_only_the_newest_calls_within_the_window_count() -> None:
    assert window(1.0, now=WINDOW_S).statistics.recent == 1
    assert window(1.0, now=WINDOW_S + 1).statistics.recent == 0
    many = window(*[9.0] * 10, *[1.0] * MAX_CALLS).statistics
    assert (many.recent, many.p95_s) == (MAX_CALLS, 1.0)
