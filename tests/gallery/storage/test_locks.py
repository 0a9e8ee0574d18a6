"""Which operations wait for each other, and changes that are made a second time."""

import asyncio
from contextlib import AbstractAsyncContextManager

import pytest

from gallery.storage.locks import CollectionLocks, repeated


async def waits(locked: AbstractAsyncContextManager[None]) -> bool:
    """Whether something else keeps a lock from being acquired."""

    async def acquire() -> None:
        async with locked:
            pass

    acquiring = asyncio.create_task(acquire())
    await asyncio.sleep(0)
    return acquiring.cancel()


async def test_only_removals_wait_while_files_are_written_again() -> None:
    locks = CollectionLocks()
    async with locks.maintenance:
        assert [await waits(locks.changing(removes)) for removes in (False, True)] == [False, False]
        assert await waits(locks.everything())
        async with locks.rewrite:
            assert [await waits(locks.changing(removes)) for removes in (False, True)] == [False, True]


@pytest.mark.parametrize("removes", [False, True])
async def test_changes_wait_for_each_other(removes: bool) -> None:
    locks = CollectionLocks()
    async with locks.changing(removes):
        assert [await waits(locks.changing(other)) for other in (False, True)] == [True, True]
        assert await waits(locks.everything())
    assert not await waits(locks.everything())


async def test_a_change_whose_files_are_gone_is_made_once_more() -> None:
    errors: list[Exception] = [RuntimeError("Not found: x.lance")]

    @repeated
    async def change() -> str:
        if errors:
            raise errors.pop()
        return "changed"

    assert await change() == "changed"
    full = RuntimeError("No space left on device (os error 28)")
    for lasting in ([OSError("Not found"), OSError("Not found")], [full]):
        errors += lasting
        with pytest.raises((RuntimeError, OSError)):
            await change()
        assert errors == []
