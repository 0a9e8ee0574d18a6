"""Whether a stage answers, watched in the background so that it can be told at once."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from typing import Any

from ray.exceptions import RayActorError
from ray.serve.exceptions import BackPressureError

from deployments.tracing import untraced

logger = logging.getLogger("ray.serve")

PERIOD_S = 2.0
"""Seconds from an answer of a stage that is ready to the next question."""
SOON_S = 0.5
"""The same while it is not ready."""
PATIENCE_S = 10.0
"""Seconds without any answer after which a stage is not ready."""


async def first_looks(watched: Iterable["Readiness"], seconds: float = PATIENCE_S) -> None:
    """Wait until each of `watched` has a verdict, but no longer than `seconds`."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            for readiness in watched:
                await readiness.looked.wait()


class Readiness:
    """Watches one stage by asking it again and again.

    A question waits behind the calls of a busy stage, or is refused where its queue is full. So a question
    without an answer says nothing as long as calls are answered; only after `PATIENCE_S` without any
    answer is the stage not ready. One that answers with an error, or whose replicas die, is not ready at once.

    Args:
        stage: its name in the log.
        ask: asks it; raises what keeps it from being ready.

    Attributes:
        ready: whether it answers; False until it has answered once.
        answer: what it answered last; None until then.
        looked: set once it has answered or failed for the first time.
    """

    def __init__(self, stage: str, ask: Callable[[], Awaitable[Any]]) -> None:
        self.ready = False
        self.answer: Any = None
        self.looked = asyncio.Event()
        self._stage = stage
        self._ask = ask
        self._answered = -PATIENCE_S
        self._problem = ""

    def answered(self) -> None:
        """Note that a call of the stage was answered just now."""
        self._answered = time.monotonic()

    async def watch(self) -> None:
        """Ask until the task is cancelled."""
        untraced()
        while True:
            await self.look()
            await asyncio.sleep(PERIOD_S if self.ready else SOON_S)

    async def look(self) -> None:
        """Ask once, and wait for the answer however long it takes."""
        asked = asyncio.ensure_future(self._asked())
        try:
            while not (await asyncio.wait({asked}, timeout=PATIENCE_S))[0]:
                self._judge_by_calls(f"no answer for {PATIENCE_S:g} s")
            self.answer = await asked
        except BackPressureError as error:
            self._judge_by_calls(repr(error))
        except Exception as error:
            # Whatever keeps a stage from answering, the verdict is the same; the log has the cause.
            self._judge(repr(error))
        else:
            self.answered()
            self._judge("")
        finally:
            asked.cancel()

    async def _asked(self) -> Any:
        try:
            return await self._ask()
        except RayActorError:
            # Of several replicas one died.
            return await self._ask()

    def _judge_by_calls(self, problem: str) -> None:
        self._judge("" if time.monotonic() - self._answered < PATIENCE_S else problem)

    def _judge(self, problem: str) -> None:
        self.ready = not problem
        if problem and problem != self._problem:
            logger.warning("the stage %s is not ready: %s", self._stage, problem)
        if self._problem and not problem:
            logger.info("the stage %s is ready", self._stage)
        self._problem = problem
        self.looked.set()
