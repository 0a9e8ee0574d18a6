"""Handles of deployments whose replicas are objects of the test, and calls with given answers."""

import asyncio
from types import SimpleNamespace
from typing import Any


def handle(replica: Any, deployment_name: str = "deployment") -> Any:
    """A deployment's handle: each method of `replica` is called by its ``remote``."""
    methods = {name: SimpleNamespace(remote=getattr(replica, name)) for name in dir(replica) if name[0] != "_"}
    return SimpleNamespace(deployment_name=deployment_name, **methods)


class Answers:
    """Returns each of `answers` in turn, then the last one again. An exception is raised, and an event is awaited."""

    def __init__(self, *answers: Any) -> None:
        self.calls = 0
        self._answers = answers

    async def __call__(self, *_: Any, **__: Any) -> Any:
        answer = self._answers[min(self.calls, len(self._answers) - 1)]
        self.calls += 1
        if isinstance(answer, asyncio.Event):
            await answer.wait()
        if isinstance(answer, BaseException):
            raise answer
        return answer
