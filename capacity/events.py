"""A discrete-event simulation: simulated time, processes that wait for signals, and processors that jobs share."""

from collections import deque
from collections.abc import Callable, Generator
from heapq import heappop, heappush
from itertools import count


class Signal:
    """Fires once. A process waits for it with ``yield``."""

    __slots__ = ("_waiting", "fired")

    def __init__(self) -> None:
        self.fired = False
        self._waiting: list[Callable[[], None]] = []

    def fire(self) -> None:
        """Resume all waiting processes."""
        self.fired = True
        for action in self._waiting:
            action()

    def then(self, action: Callable[[], None]) -> None:
        """Call `action` when the signal fires, or immediately if it has fired."""
        if self.fired:
            action()
        else:
            self._waiting.append(action)


Process = Generator[Signal, None, None]
"""A generator that yields the signals it waits for."""


class Calendar:
    """Simulated time, in seconds, and the scheduled actions.

    Attributes:
        now: the current simulated time.
    """

    def __init__(self) -> None:
        self.now = 0.0
        # The number keeps actions at the same time in order.
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._number = count()

    def after(self, seconds: float, action: Callable[[], None]) -> None:
        """Call `action` after `seconds` of simulated time."""
        heappush(self._events, (self.now + seconds, next(self._number), action))

    def pause(self, seconds: float) -> Signal:
        """Return a signal that fires after `seconds` of simulated time."""
        signal = Signal()
        self.after(seconds, signal.fire)
        return signal

    def start(self, process: Process) -> Signal:
        """Run `process` up to its first wait. The signal fires when it ends."""
        ended = Signal()

        def resume() -> None:
            try:
                signal = next(process)
            except StopIteration:
                ended.fire()
            else:
                signal.then(resume)

        resume()
        return ended

    def run_until(self, done: Callable[[], bool]) -> None:
        """Let time pass until `done` returns True.

        Raises:
            RuntimeError: no action is left, but `done` still returns False.
        """
        while not done():
            if not self._events:
                raise RuntimeError("the simulation has come to a standstill")
            self.now, _, action = heappop(self._events)
            action()


class Processor:
    """Cores, or a GPU, whose time all jobs share equally. A job runs on at most one core.

    This is processor sharing: Linux divides cores among threads like this, and a GPU its time among processes.

    Args:
        capacity: number of cores, which may be a fraction; 1 for a GPU.
    """

    def __init__(self, calendar: Calendar, capacity: float) -> None:
        self.capacity = capacity
        self._calendar = calendar
        # A heap of the jobs, each with the value of `_served` at which it ends.
        self._jobs: list[tuple[float, int, Signal]] = []
        self._number, self._version = count(), 0
        # `_served`: seconds that a job running since the start would have received. Each job has received the increase
        # since it arrived.
        self._served, self._busy, self._since = 0.0, 0.0, 0.0

    def run(self, seconds: float) -> Signal:
        """Add a job that takes `seconds` if it runs alone. The signal fires when it is done."""
        self._catch_up()
        done = Signal()
        heappush(self._jobs, (self._served + seconds, next(self._number), done))
        self._plan_next()
        return done

    @property
    def busy(self) -> float:
        """Seconds of work done, summed over the cores."""
        self._catch_up()
        return self._busy

    def forget(self) -> None:
        """Reset `busy` to 0."""
        self._catch_up()
        self._busy = 0.0

    def _catch_up(self) -> None:
        passed, self._since = self._calendar.now - self._since, self._calendar.now
        self._served += passed * self._speed
        self._busy += passed * min(len(self._jobs), self.capacity)

    @property
    def _speed(self) -> float:
        """Share of a core that each job gets."""
        return min(1.0, self.capacity / len(self._jobs)) if self._jobs else 0.0

    def _plan_next(self) -> None:
        """Schedule the end of the job that ends next. This replaces what was scheduled before."""
        self._version += 1
        if self._jobs:
            left, version = max(self._jobs[0][0] - self._served, 0.0), self._version
            self._calendar.after(left / self._speed, lambda: self._finish(version))

    def _finish(self, version: int) -> None:
        if version != self._version:
            return
        self._catch_up()
        _, _, done = heappop(self._jobs)
        self._plan_next()
        done.fire()


class BatchQueue:
    """Threads that run batches of the items of waiting calls, as `deployments.batching.Batcher` does.

    If a thread is free, a call starts immediately; otherwise the next batch contains as many waiting calls as fit.

    Args:
        threads: number of batches that can run concurrently.
        largest: maximum number of items in a batch. A call with more runs alone.
        work: returns the process that runs a batch, given the number of its items.
    """

    def __init__(self, calendar: Calendar, threads: int, largest: int, work: Callable[[int], Process]) -> None:
        self._calendar, self._free, self._largest, self._work = calendar, threads, largest, work
        self._waiting = deque[tuple[int, Signal]]()

    def submit(self, items: int) -> Signal:
        """Queue a call. The signal fires when its batch is done."""
        done = Signal()
        self._waiting.append((items, done))
        self._start()
        return done

    def _start(self) -> None:
        while self._free and self._waiting:
            items, done = self._waiting.popleft()
            batch = [done]
            while self._waiting and items + self._waiting[0][0] <= self._largest:
                more, done = self._waiting.popleft()
                items += more
                batch.append(done)
            self._free -= 1
            self._calendar.start(self._run(items, batch))

    def _run(self, items: int, calls: list[Signal]) -> Process:
        yield from self._work(items)
        self._free += 1
        self._start()
        for done in calls:
            done.fire()
