"""Probes of concurrent requests are searched for together."""

import asyncio
from itertools import count

import numpy as np
import pytest
from numpy.typing import NDArray

import gallery.search.probe_queue
from gallery.records import Hit
from gallery.search.probe_queue import ProbeQueue


class Search:
    """Records the probes of each search, and waits until it may end."""

    def __init__(self) -> None:
        self.searches: list[tuple[list[float], int]] = []
        self.end = asyncio.Event()

    async def __call__(self, probes: NDArray[np.float32], count: int) -> list[list[Hit]] | None:
        self.searches.append((probes[:, 0].tolist(), count))
        await self.end.wait()
        if 9 in probes:
            raise ValueError("nine")
        return [[Hit(f"{probe}-{row}", "", 0) for row in range(count)] for probe in probes[:, 0]]


def numbers(*values: float) -> NDArray[np.float32]:
    return np.array(values, np.float32)[:, None]


async def test_probes_that_arrive_during_a_search_share_the_next_which_is_that_of_the_last_caller() -> None:
    queue, search, last = ProbeQueue(), Search(), Search()
    tasks = []
    for hits, probes in enumerate([numbers(0), numbers(1, 2), numbers(3), numbers(4)], 1):
        tasks.append(asyncio.create_task(queue.find(last if hits == 4 else search, probes, hits)))
        while not search.searches:
            await asyncio.sleep(0)
    await asyncio.sleep(0)
    tasks[2].cancel()
    await asyncio.sleep(0)
    search.end.set()
    last.end.set()
    answers = await asyncio.gather(*tasks, return_exceptions=True)
    assert (search.searches, last.searches) == ([([0], 1)], [([1, 2, 4], 4)])
    found = [[[hit.subject for hit in best] for best in each] for each in answers if isinstance(each, list)]
    assert found == [
        [["0.0-0"]],
        [["1.0-0", "1.0-1"], ["2.0-0", "2.0-1"]],
        [["4.0-0", "4.0-1", "4.0-2", "4.0-3"]],
    ]


@pytest.mark.parametrize(("longest", "searched"), [(60, [[1, 2]]), (0, [[1], [2]])])
async def test_callers_that_were_answered_together_are_searched_for_together_again(
    monkeypatch: pytest.MonkeyPatch, longest: float, searched: list[list[float]]
) -> None:
    """Not all of them need to call again. If too few do, they are answered nevertheless."""
    monkeypatch.setattr(gallery.search.probe_queue, "LONGEST_S", longest)
    monkeypatch.setattr(gallery.search.probe_queue, "monotonic", count(0, 100).__next__)
    queue, search = ProbeQueue(), Search()
    search.end.set()
    await asyncio.gather(*(queue.find(search, numbers(each), 1) for each in range(3)))
    search.searches.clear()
    first = asyncio.create_task(queue.find(search, numbers(1), 1))
    await asyncio.sleep(0.05)
    await asyncio.gather(first, queue.find(search, numbers(2), 1))
    assert [probes for probes, _ in search.searches] == searched


async def test_all_callers_of_a_failed_search_get_its_error_and_the_next_search_works() -> None:
    queue, search = ProbeQueue(), Search()
    search.end.set()
    failed = await asyncio.gather(*(queue.find(search, numbers(9), 1) for _ in range(2)), return_exceptions=True)
    assert [str(error) for error in failed] == ["nine", "nine"]
    with pytest.raises(ValueError, match="nine"):
        await queue.find(search, numbers(9), 1)
    assert await queue.find(search, numbers(1), 1) == [[Hit("1.0-0", "", 0)]]
