"""Where a request's time went: what is recorded, and the header that tells it."""

import asyncio
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telemetry.timing import Call, Recorder, Timed, covered, matched, note, record, recording

Interval = tuple[float, float]

# Whole numbers, which floats add up exactly.
INTERVALS = st.lists(st.tuples(st.integers(0, 1000), st.integers(0, 50)).map(lambda it: (it[0], it[0] + it[1])))


def test_the_header_tells_each_kind_in_the_order_of_its_calls() -> None:
    recorder = Recorder(10.0)
    steps = {"decode": 0.0071, "detect": 0.044, "crop": 0.0042, "measure": 0.0031}
    recorder.calls.append(Call("detector", "mtcnn", 10.001, 10.0611, Timed(None, 0.0589, steps)))
    recorder.calls.append(Call("embedder", "arcface", 10.062, 10.082, Timed(None, 0.01)))
    recorder.calls.append(Call("liveness", "crmnet", 10.062, 10.1, Timed(None, 0.02)))
    recorder.calls.append(Call("gallery", "find", 10.1, 10.105))
    assert recorder.header(10.1063).split(", ") == [
        "total;dur=106.3",
        "ingress;dur=3.2",
        'detector;desc="mtcnn";dur=60.1',
        "detector-busy;dur=58.9",
        "decode;dur=7.1",
        "detect;dur=44.0",
        "crop;dur=4.2",
        "measure;dur=3.1",
        'embedder;desc="arcface";dur=20.0',
        "embedder-busy;dur=10.0",
        'liveness;desc="crmnet";dur=38.0',
        "liveness-busy;dur=20.0",
        'gallery;desc="find";dur=5.0',
    ]


def test_a_request_without_calls_is_all_the_ingresss() -> None:
    assert Recorder(1.0).header(1.5) == "total;dur=500.0, ingress;dur=500.0"


def test_calls_of_one_kind_are_summed_up_and_every_label_is_told_once() -> None:
    recorder = Recorder(0.0)
    recorder.calls.append(Call("detector", "mtcnn", 0.0, 0.25, Timed(None, 0.125, {"decode": 0.0625})))
    recorder.calls.append(
        Call("detector", "mediapipe", 0.125, 0.375, Timed(None, 0.125, {"decode": 0.03125, "detect": 0.25}))
    )
    recorder.calls.append(Call("detector", "mtcnn", 0.5, 0.75))
    assert recorder.header(1.0).split(", ") == [
        "total;dur=1000.0",
        "ingress;dur=375.0",
        'detector;desc="mtcnn mediapipe";dur=750.0',
        "detector-busy;dur=250.0",
        "decode;dur=93.8",
        "detect;dur=250.0",
    ]


@pytest.mark.parametrize(
    ("label", "told"), [('a"b', r'"a\"b"'), ("a\\b", r'"a\\b"'), ("a\r\nX: b", r'"a\r\nX: b"'), ("é", r'"\u00e9"')]
)
def test_a_label_cannot_break_the_header(label: str, told: str) -> None:
    recorder = Recorder(0.0)
    recorder.calls.append(Call("detector", label, 0.0, 1.0))
    assert recorder.header(1.0).endswith(f", detector;desc={told};dur=1000.0")


@pytest.mark.parametrize(
    ("intervals", "length"),
    [
        ([], 0),
        ([(1, 3)], 2),
        ([(1, 3), (5, 6)], 3),
        ([(1, 3), (2, 6)], 5),
        ([(2, 6), (1, 3)], 5),
        ([(1, 9), (2, 3), (4, 10)], 9),
        ([(1, 3), (3, 4)], 3),
        ([(1, 3), (1, 3)], 2),
    ],
)
def test_what_intervals_cover(intervals: list[Interval], length: float) -> None:
    assert covered(intervals) == length


@given(INTERVALS)
def test_they_cover_as_many_units_of_time_as_lie_in_any_of_them(intervals: list[Interval]) -> None:
    assert covered(intervals) == len({unit for start, end in intervals for unit in range(int(start), int(end))})


@given(INTERVALS.filter(bool), st.integers(-1000, 1000))
def test_they_cover_no_less_than_the_longest_no_more_than_all_and_the_same_elsewhere(
    intervals: list[Interval], shift: int
) -> None:
    lengths = [end - start for start, end in intervals]
    assert max(lengths) <= covered(intervals) <= sum(lengths)
    assert covered((start + shift, end + shift) for start, end in intervals) == covered(intervals)


def test_outside_a_request_nothing_is_recorded() -> None:
    record(Call("detector", "mtcnn", 0.0, 1.0))
    with recording(0.0) as recorder:
        pass
    record(Call("detector", "mtcnn", 0.0, 1.0))
    assert recorder.header(1.0) == "total;dur=1000.0, ingress;dur=1000.0"


def test_outcomes_are_counted_for_the_running_request() -> None:
    note("face", "found")
    with recording(0.0) as recorder:
        note("face", "found", 3)
        note("face", "found", 2)
        note("liveness", "spoof")
        assert matched(True) is True
        assert matched(False) is False
    note("face", "found")
    assert recorder.outcomes == {
        ("face", "found"): 5,
        ("liveness", "spoof"): 1,
        ("match", "match"): 1,
        ("match", "no_match"): 1,
    }


def test_after_a_fault_nothing_more_is_recorded() -> None:
    with pytest.raises(RuntimeError), recording(0.0) as recorder:
        raise RuntimeError
    record(Call("detector", "mtcnn", 0.0, 1.0))
    assert "detector" not in recorder.header(1.0)


def test_what_a_requests_tasks_call_is_recorded() -> None:
    async def call(kind: str) -> None:
        await asyncio.sleep(0)
        record(Call(kind, "any", 0.0, 0.5))

    async def run() -> str:
        with recording(0.0) as recorder:
            await asyncio.gather(asyncio.create_task(call("liveness")), call("embedder"))
            return recorder.header(1.0)

    assert asyncio.run(run()).split(", ")[1:] == [
        "ingress;dur=500.0",
        'liveness;desc="any";dur=500.0',
        'embedder;desc="any";dur=500.0',
    ]


def test_requests_side_by_side_are_recorded_apart() -> None:
    async def request(kind: str, both_began: asyncio.Barrier) -> str:
        with recording(0.0) as recorder:
            await both_began.wait()
            record(Call(kind, "any", 0.0, 0.25))
            await both_began.wait()
            return recorder.header(1.0)

    async def run() -> list[str]:
        barrier = asyncio.Barrier(2)
        return list(await asyncio.gather(request("liveness", barrier), request("embedder", barrier)))

    assert asyncio.run(run()) == [
        'total;dur=1000.0, ingress;dur=750.0, liveness;desc="any";dur=250.0',
        'total;dur=1000.0, ingress;dur=750.0, embedder;desc="any";dur=250.0',
    ]


def test_a_replicas_answer_travels_with_its_times() -> None:
    timed = Timed("found", 0.5, {"decode": 0.25})
    assert pickle.loads(pickle.dumps(timed)) == timed
