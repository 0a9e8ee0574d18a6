"""Answers that are shared for a second, by a clock of the test's own."""

import asyncio
from types import SimpleNamespace

import pytest

from telemetry import brief_cache
from telemetry.brief_cache import BriefCache


class Asked:
    """Answers how often it was asked, but not the first `faults` times."""

    def __init__(self, faults: int = 0) -> None:
        self.count, self._faults = 0, faults

    async def __call__(self) -> int:
        await asyncio.sleep(0)
        self.count += 1
        if self.count <= self._faults:
            raise ConnectionError
        return self.count


def test_whoever_asks_at_once_shares_one_answer() -> None:
    async def run() -> list[int]:
        shared = BriefCache(Asked())
        return list(await asyncio.gather(*(shared() for _ in range(3))))

    assert asyncio.run(run()) == [1, 1, 1]


def test_an_answer_is_not_kept_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(brief_cache, "time", SimpleNamespace(monotonic=iter([0.0, 0.9, 1.1, 1.2]).__next__))

    async def run() -> list[int]:
        shared = BriefCache(Asked())
        return [await shared() for _ in range(3)]

    assert asyncio.run(run()) == [1, 1, 2]


def test_after_an_error_it_is_asked_again() -> None:
    async def run() -> int:
        shared = BriefCache(Asked(faults=1))
        with pytest.raises(ConnectionError):
            await shared()
        return await shared()

    assert asyncio.run(run()) == 2
