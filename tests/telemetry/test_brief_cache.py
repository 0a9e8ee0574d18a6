"""Sharing an answer for a second."""

import asyncio

import pytest

from telemetry import brief_cache
from telemetry.brief_cache import BriefCache


class Source:
    """Answers with the number of times it was asked; fails the first `faults` times."""

    def __init__(self, faults: int = 0) -> None:
        self.count, self._faults = 0, faults

    async def __call__(self) -> int:
        await asyncio.sleep(0)
        self.count += 1
        if self.count <= self._faults:
            raise ConnectionError
        return self.count


@pytest.mark.parametrize(("age", "faults", "answers"), [(60, 0, [1, 1, 1]), (-1, 0, [1, 2, 3]), (60, 1, [None, 2, 2])])
async def test_answer_is_shared_until_it_is_too_old_and_errors_are_not(
    age: float, faults: int, answers: list[int | None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(brief_cache, "MAX_AGE_S", age)
    cache = BriefCache(Source(faults))
    found = await asyncio.gather(*(cache() for _ in answers), return_exceptions=True)
    assert [None if isinstance(each, ConnectionError) else each for each in found] == answers
