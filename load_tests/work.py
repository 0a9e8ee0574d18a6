"""Working over and over, and telling what came of it in a stretch of time that another process names.

What `load_tests.watch` starts, works. Of an answer that is on its way at an edge of the stretch, the share counts
that lies within: a stretch has some dozens of answers, and one more or less would be several per cent of them. All
go on beyond the end until each of those has arrived, for the last ones would come sooner if nobody else asked.
"""

import json
import math
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Literal

WARM_UP_S = 1.0
PAUSE_S = 1.0
"""What a client waits after a refusal: what the service's Retry-After asks for."""
LIMIT_S = 180
"""A process that is not warm by then, or has not ended so long after the stretch, is killed."""


@dataclass(frozen=True)
class Answer:
    """What came of one request.

    Attributes:
        kind: ``refused`` is 503 with Retry-After; anything else that is no answer ``failed``.
        milliseconds: from asking to the whole answer.
        similarity: of the two photos.
        steps: milliseconds, as `facegraph.step_times` has them.
    """

    kind: Literal["answered", "refused", "failed"]
    milliseconds: float
    similarity: float | None = None
    steps: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Stretch:
    """What came of a stretch of time.

    Attributes:
        arrived: whatever arrived in it.
        answered: how many answers there were, with shares of those at its edges.
    """

    arrived: list[Answer]
    answered: float


@dataclass(frozen=True)
class Record:
    """An answer and when it was on its way, by `time.monotonic`."""

    began: float
    ended: float
    answer: Answer


def stretch(records: Sequence[Record], begin: float, end: float) -> Stretch:
    """What of `records` counts between `begin` and `end`."""
    within = (
        (min(record.ended, end) - max(record.began, begin)) / (record.ended - record.began)
        for record in records
        if record.answer.kind == "answered" and record.began < end and record.ended > begin
    )
    return Stretch([record.answer for record in records if begin <= record.ended < end], sum(within))


def work(tasks: Sequence[Callable[[], Answer]]) -> None:
    """Call each of `tasks` over and over in a thread of its own; print what came of the parent's stretch."""
    signal.alarm(LIMIT_S)
    over = threading.Event()
    firsts, lasts = ([threading.Event() for _ in tasks] for _ in range(2))
    records: list[Record] = []
    begin = end = math.inf

    def repeat(task: Callable[[], Answer], first: threading.Event, last: threading.Event) -> None:
        try:
            while not over.is_set():
                began = time.monotonic()
                answer = task()
                records.append(Record(began, time.monotonic(), answer))
                first.set()
                if began >= end:
                    last.set()
                if answer.kind != "answered":
                    over.wait(PAUSE_S)
        except Exception:
            traceback.print_exc()
            # Without one of its threads the whole measurement means nothing.
            os._exit(1)

    threads = [
        threading.Thread(target=repeat, args=entry, daemon=True) for entry in zip(tasks, firsts, lasts, strict=True)
    ]
    for thread in threads:
        thread.start()
    time.sleep(WARM_UP_S)
    for first in firsts:
        first.wait()
    print("warm", flush=True)
    begin, end = map(float, sys.stdin.readline().split())
    signal.alarm(LIMIT_S + round(end - begin))
    sleep_until(end)
    for last in lasts:
        last.wait()
    over.set()
    # The server is left idle: the next measurement begins with nothing of this one in it.
    for thread in threads:
        thread.join()
    print(json.dumps(asdict(stretch(records, begin, end))), flush=True)
    # The parent may still be looking at this process's memory; it ends it.
    sys.stdin.read()


def sleep_until(moment: float) -> None:
    """Sleep until `time.monotonic`, which all processes of a machine share, is at `moment`."""
    time.sleep(max(0.0, moment - time.monotonic()))
