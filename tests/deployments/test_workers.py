"""The threads of a replica: how many, which, and what becomes of calls that are given up."""

import asyncio
import pickle
import threading
from collections.abc import Awaitable, Callable
from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest

from deployments import workers
from deployments.workers import Workers
from graphs.timing import Timed

PATIENCE_S = 30
"""After which a test that hangs fails."""


class Crowd:
    """Work that counts how many do it at once, and in which threads.

    Args:
        parties: that meet before any of them goes on.
    """

    def __init__(self, parties: int) -> None:
        self.threads: list[threading.Thread] = []
        self.most = 0
        self._present = 0
        self._lock = threading.Lock()
        self._met = threading.Barrier(parties)

    def work(self) -> None:
        with self._lock:
            self.threads.append(threading.current_thread())
            self._present += 1
            self.most = max(self.most, self._present)
        self._met.wait(PATIENCE_S)
        with self._lock:
            self._present -= 1


async def started(event: threading.Event) -> None:
    assert await asyncio.to_thread(event.wait, PATIENCE_S)


@pytest.mark.parametrize("count", [1, 2, 3])
def test_as_many_calls_as_there_are_threads_run_at_once_and_no_more(count: int) -> None:
    crowd = Crowd(count)

    async def run() -> None:
        pool = Workers(count)
        await asyncio.gather(*(pool.run(crowd.work) for _ in range(4 * count)))

    asyncio.run(run())
    assert len(crowd.threads) == 4 * count
    assert crowd.most == count
    assert len(set(crowd.threads)) == count


def test_the_threads_stay_for_later_calls() -> None:
    pool, crowd = Workers(1), Crowd(1)

    async def run() -> None:
        for _ in range(20):
            await pool.run(crowd.work)

    asyncio.run(run())
    asyncio.run(run())
    assert len(crowd.threads) == 40
    # Threads that are gone would still be told apart: they are the objects themselves.
    assert len(set(crowd.threads)) == 1
    assert crowd.threads[0] is not threading.current_thread()


def test_the_event_loop_goes_on_meanwhile() -> None:
    release = threading.Event()

    async def run() -> bool:
        waiting = asyncio.create_task(Workers(1).run(partial(release.wait, PATIENCE_S)))
        await asyncio.sleep(0)
        # Were the work done in the loop, nobody would be there to end it.
        release.set()
        return (await waiting).answer[0]

    assert asyncio.run(run()) is True


def test_an_answer_comes_with_its_time_and_without_that_of_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "time", SimpleNamespace(perf_counter=iter([1.0, 1.25, 5.0, 5.5]).__next__))

    async def run() -> list[Timed[list[str]]]:
        pool = Workers(1)
        return list(await asyncio.gather(pool.run(lambda: "one"), pool.run(lambda: "other")))

    assert asyncio.run(run()) == [Timed(["one"], 0.25), Timed(["other"], 0.5)]


def test_the_parts_of_a_call_are_worked_on_side_by_side_and_answered_in_order() -> None:
    crowd = Crowd(2)

    def part(number: int) -> int:
        crowd.work()
        return number

    async def run() -> Timed[list[int]]:
        return await Workers(2).run(*(partial(part, number) for number in range(4)))

    timed = asyncio.run(run())
    assert timed.answer == [0, 1, 2, 3]
    assert crowd.most == 2


def test_time_in_which_several_parts_were_at_work_counts_once(monkeypatch: pytest.MonkeyPatch) -> None:
    times = {"first": iter([1.0, 3.0]), "second": iter([2.0, 4.0])}
    met, name = threading.Barrier(2), threading.local()

    def perf_counter() -> float:
        if not hasattr(name, "times"):
            # Each thread has one part, for the other one waits for it.
            name.times = times.pop(next(iter(times)))
        return float(next(name.times))

    monkeypatch.setattr(workers, "time", SimpleNamespace(perf_counter=perf_counter))

    async def run() -> Timed[list[int]]:
        return await Workers(2).run(partial(met.wait, PATIENCE_S), partial(met.wait, PATIENCE_S))

    assert asyncio.run(run()).seconds == 3.0


def test_an_error_reaches_the_caller_and_the_thread_goes_on() -> None:
    error = ValueError("broken")

    def fail() -> None:
        raise error

    async def run() -> Timed[list[str]]:
        pool = Workers(1)
        with pytest.raises(ValueError, match="broken") as caught:
            await pool.run(fail)
        assert caught.value is error
        return await pool.run(partial(str.upper, "next"))

    assert asyncio.run(run()).answer == ["NEXT"]


async def cancelled(call: asyncio.Task[Any]) -> None:
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call


async def timed_out(call: asyncio.Task[Any]) -> None:
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(call, 0)


@pytest.mark.parametrize("give_up", [cancelled, timed_out])
def test_work_that_was_given_up_before_its_turn_is_not_done(
    give_up: Callable[[asyncio.Task[Any]], Awaitable[None]],
) -> None:
    begun, release, done = threading.Event(), threading.Event(), list[str]()

    def hold() -> None:
        begun.set()
        release.wait(PATIENCE_S)
        done.append("first")

    async def run() -> None:
        pool = Workers(1)
        first = asyncio.create_task(pool.run(hold))
        await started(begun)
        second = asyncio.create_task(pool.run(partial(done.append, "second")))
        third = asyncio.create_task(pool.run(partial(done.append, "third")))
        await asyncio.sleep(0)
        await give_up(second)
        release.set()
        await asyncio.gather(first, third)

    asyncio.run(run())
    assert done == ["first", "third"]


def test_work_that_was_given_up_in_its_turn_frees_its_thread_when_it_ends() -> None:
    begun, release, done = threading.Event(), threading.Event(), list[str]()

    def hold() -> None:
        begun.set()
        release.wait(PATIENCE_S)
        done.append("first")

    async def run() -> None:
        pool = Workers(1)
        first = asyncio.create_task(pool.run(hold))
        await started(begun)
        await cancelled(first)
        second = asyncio.create_task(pool.run(partial(done.append, "second")))
        release.set()
        await second

    asyncio.run(run())
    assert done == ["first", "second"]


def test_workers_travel_to_their_replica_with_their_number() -> None:
    workers = pickle.loads(pickle.dumps(Workers(1)))
    met = threading.Barrier(2)

    def meets() -> bool:
        try:
            met.wait(timeout=0.05)
        except threading.BrokenBarrierError:
            return False
        return True

    async def both() -> list[Any]:
        return [timed.answer[0] for timed in await asyncio.gather(workers.run(meets), workers.run(meets))]

    assert asyncio.run(both()) == [False, False]
