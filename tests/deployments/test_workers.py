"""The threads of a replica."""

import asyncio
import pickle
import threading
from functools import partial
from types import SimpleNamespace

import pytest

from deployments import workers
from deployments.workers import Workers
from telemetry.request_record import TimedAnswer

TIMEOUT_S = 30
"""A test that hangs fails after this time."""


class Meeting:
    """Work that waits until `size` threads do it at once. Records the threads, and the most at the same time."""

    def __init__(self, size: int) -> None:
        self.threads: list[threading.Thread] = []
        self.most = 0
        self._present = 0
        self._lock = threading.Lock()
        self._met = threading.Barrier(size)

    def work(self, number: int = 0) -> int:
        with self._lock:
            self.threads.append(threading.current_thread())
            self._present += 1
            self.most = max(self.most, self._present)
        self._met.wait(TIMEOUT_S)
        with self._lock:
            self._present -= 1
        return number


@pytest.mark.parametrize("count", [1, 3])
def test_calls_share_a_fixed_number_of_threads(count: int) -> None:
    meeting, pool = Meeting(count), Workers(count)

    async def run() -> None:
        await asyncio.gather(*(pool.run(meeting.work) for _ in range(4 * count)))

    asyncio.run(run())
    asyncio.run(run())
    assert len(meeting.threads) == 8 * count
    assert meeting.most == len(set(meeting.threads)) == count
    assert threading.current_thread() not in meeting.threads


def test_parts_run_side_by_side_and_are_answered_in_order() -> None:
    meeting = Meeting(2)
    timed = asyncio.run(Workers(2).run(*(partial(meeting.work, number) for number in range(4))))
    assert (timed.answer, meeting.most) == ([0, 1, 2, 3], 2)


def test_waiting_for_a_thread_is_not_timed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "time", SimpleNamespace(perf_counter=iter([1.0, 1.25, 5.0, 5.5]).__next__))

    async def run() -> list[TimedAnswer[list[str]]]:
        pool = Workers(1)
        return list(await asyncio.gather(pool.run(lambda: "one"), pool.run(lambda: "other")))

    assert asyncio.run(run()) == [TimedAnswer(["one"], 0.25), TimedAnswer(["other"], 0.5)]


def test_cancelled_call_never_starts_or_frees_its_thread_at_its_end() -> None:
    begun, released, done = threading.Event(), threading.Event(), list[str]()

    def hold() -> None:
        begun.set()
        released.wait(TIMEOUT_S)
        done.append("running")

    async def run() -> None:
        pool = Workers(1)
        running = asyncio.create_task(pool.run(hold))
        assert await asyncio.to_thread(begun.wait, TIMEOUT_S)
        queued, last = (asyncio.create_task(pool.run(partial(done.append, name))) for name in ("queued", "last"))
        await asyncio.sleep(0)
        for call in (running, queued):
            call.cancel()
            with pytest.raises(asyncio.CancelledError):
                await call
        released.set()
        await last

    asyncio.run(run())
    assert done == ["running", "last"]


def test_pickled_workers_keep_their_number() -> None:
    assert pickle.loads(pickle.dumps(Workers(3))).count == 3
