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


@pytest.mark.parametrize("count", [1, 3])
def test_all_parts_share_a_fixed_number_of_threads_and_are_answered_in_order(count: int) -> None:
    # A part ends once each thread is in one.
    threads, met = list[threading.Thread](), threading.Barrier(count)
    # A replica gets the threads' number alone.
    pool = pickle.loads(pickle.dumps(Workers(count)))
    assert pool.count == count

    def work(number: int) -> int:
        threads.append(threading.current_thread())
        met.wait(TIMEOUT_S)
        return number

    async def run() -> list[int]:
        calls = (pool.run(partial(work, 2 * number), partial(work, 2 * number + 1)) for number in range(2 * count))
        return [number for timed in await asyncio.gather(*calls) for number in timed.answer]

    assert asyncio.run(run()) == asyncio.run(run()) == [*range(4 * count)]
    assert (len(threads), len({*threads})) == (8 * count, count)
    assert threading.current_thread() not in threads


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
