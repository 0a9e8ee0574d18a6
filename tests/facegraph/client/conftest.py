"""Both clients, over the real app with fake stages or over scripted answers, and a clock of the test's own."""

import asyncio
import time
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from api.app import create_app
from facegraph.client import retries
from tests.facegraph.client import Asker, InProcess, Script
from tests.fakes import People, service


@pytest.fixture
def blocking() -> bool:
    """Which client; a test that both must stand parametrises it."""
    return True


@pytest.fixture
def app(blocking: bool) -> Asker:
    """The real app over photos that are words; see `tests.fakes.People`."""
    served = create_app(service(People().stages()))
    return Asker(blocking, (InProcess(served), httpx.ASGITransport(served)))


@pytest.fixture
def scripted(blocking: bool) -> Callable[..., tuple[Asker, Script]]:
    """A client whose requests have the given outcomes, and what keeps them."""

    def make(*outcomes: httpx.Response | Exception, **options: Any) -> tuple[Asker, Script]:
        script = Script(*outcomes)
        return Asker(blocking, script.transports(), **options), script

    return make


class Clock:
    """Time that passes by waiting alone; `waits` are the seconds of each."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.waits: list[float] = []

    def wait(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.now += seconds

    async def wait_asynchronously(self, seconds: float) -> None:
        self.wait(seconds)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The client's own clock; its jitter is the half of what it may be."""
    made = Clock()
    monkeypatch.setattr(retries, "monotonic", lambda: made.now)
    monkeypatch.setattr("random.uniform", lambda least, most: (least + most) / 2)
    monkeypatch.setattr(time, "sleep", made.wait)
    monkeypatch.setattr(asyncio, "sleep", made.wait_asynchronously)
    return made
