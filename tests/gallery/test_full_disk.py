"""A gallery on a disk that is full: what was acknowledged stays, what is refused changes nothing."""

import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from gallery.disk import is_full
from gallery.location import Location
from gallery.reader import Reader
from gallery.records import EmbeddingKind, NewFace
from gallery.writer import Writer

SIZE = 192
MOST = 1000
"""Enrolments that a disk of three megabytes has no room for."""


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of three megabytes."""
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(tmp_path)], capture_output=True)
    if mounted.returncode:
        pytest.skip(f"no disk can be mounted here: {mounted.stderr.decode().strip()}")
    yield tmp_path
    subprocess.run(["umount", "--lazy", str(tmp_path)], check=True)


async def enrolled(location: Location) -> set[str]:
    reader = Reader(location, 0)
    return {each.id for each in await reader.subjects(await reader.collection("staff"), "", None)}


@pytest.mark.anyio
async def test_nothing_acknowledged_is_lost_and_room_is_all_it_takes(disk: Path) -> None:
    location = Location(str(disk / "gallery"))
    writer = await Writer.open(location)
    await writer.create("staff", EmbeddingKind("arcface", "mobilefacenet", "contract", SIZE), None)

    async def enrol(subject: str) -> None:
        face = NewFace(subject, "", "", np.random.default_rng().standard_normal(SIZE).astype(np.float32))
        await writer.enrol("staff", "contract", [face])

    acknowledged: set[str] = set()

    async def enrol_many() -> None:
        for number in range(MOST):
            await enrol(f"subject-{number}")
            acknowledged.add(f"subject-{number}")

    with pytest.raises((RuntimeError, OSError)) as caught:
        await enrol_many()
    assert is_full(caught.value)
    assert len(acknowledged) > 10
    # An optimisation needs room as well, and may find just enough.
    with suppress(RuntimeError, OSError):
        await writer.optimise()
    assert await enrolled(location) == acknowledged
    subprocess.run(["mount", "-o", "remount,size=30m", str(disk)], check=True)
    await enrol("one more")
    assert await enrolled(location) == {*acknowledged, "one more"}
    await writer.close()


def test_other_faults_are_told_from_a_full_disk() -> None:
    assert is_full(OSError(28, "No space left on device"))
    assert not is_full(OSError(2, "No such file"))
    assert not is_full(RuntimeError("lance error: not found"))
