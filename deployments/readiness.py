"""Readiness of the stages, watched in the background so that probes respond from memory."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from typing import Any

from ray.exceptions import RayActorError
from ray.serve.exceptions import BackPressureError

from project.request_error import RequestError
from telemetry.tracing import suppress_spans

logger = logging.getLogger("ray.serve")

PERIOD_S = 2.0
"""Seconds between checks of a stage that is ready."""
SOON_S = 0.5
"""Seconds between checks of a stage that is not ready."""
MAX_SILENCE_S = 10.0
"""Seconds without any response after which a stage is not ready."""


async def first_looks(watched: Iterable["Readiness"], seconds: float = MAX_SILENCE_S) -> None:
    """Wait until each of `watched` has its first result or failure, for at most `seconds`."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            for readiness in watched:
                await readiness.looked.wait()


class Readiness:
    """Watches one stage by calling its ``ready`` method repeatedly.

    A busy stage responds late, or rejects the call because its queue is full. It stays ready until `MAX_SILENCE_S`
    pass without a response to this or any other call. A stage that fails, or whose replicas die, stops being ready
    immediately.

    Args:
        stage: name of the stage in the log.
        ask: calls the stage; raises an error, or returns a `RequestError`, if it is not ready.

    Attributes:
        ready: whether the stage responds; False until the first response.
        answer: the last result; None until the first.
        looked: set after the first result or failure.
    """

    def __init__(self, stage: str, ask: Callable[[], Awaitable[Any]]) -> None:
        self.ready = False
        self.answer: Any = None
        self.looked = asyncio.Event()
        self._stage = stage
        self._ask = ask
        self._answered = -MAX_SILENCE_S
        self._problem = ""

    def answered(self) -> None:
        """Record that the stage has just responded to a call."""
        self._answered = time.monotonic()

    async def watch(self) -> None:
        """Check until the task is cancelled."""
        suppress_spans()
        while True:
            await self.look()
            await asyncio.sleep(PERIOD_S if self.ready else SOON_S)

    async def look(self) -> None:
        """Check once, and wait for the result however long it takes."""
        asked = asyncio.ensure_future(self._asked())
        try:
            while not (await asyncio.wait({asked}, timeout=MAX_SILENCE_S))[0]:
                self._judge_by_calls(f"no response for {MAX_SILENCE_S:g} s")
            self.answer = await asked
        except BackPressureError as error:
            self._judge_by_calls(repr(error))
        except Exception as error:
            # The result is the same for every cause; the cause is logged.
            self._judge(repr(error))
        else:
            self.answered()
            self._judge("")
        finally:
            asked.cancel()

    async def _asked(self) -> Any:
        try:
            answer = await self._ask()
        except RayActorError:
            # One replica died; another may respond.
            answer = await self._ask()
        if isinstance(answer, RequestError):
            raise answer
        return answer

    def _judge_by_calls(self, problem: str) -> None:
        self._judge("" if time.monotonic() - self._answered < MAX_SILENCE_S else problem)

    def _judge(self, problem: str) -> None:
        self.ready = not problem
        if problem and problem != self._problem:
            logger.warning("the stage %s is not ready: %s", self._stage, problem)
        if self._problem and not problem:
            logger.info("the stage %s is ready", self._stage)
        self._problem = problem
        self.looked.set()
