"""A full disk: acknowledged changes survive, and a refused change changes nothing."""

import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from gallery.errors import is_full
from tests.gallery.sample_gallery import Storage, enrol, face, vectors, writing


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of three megabytes."""
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(tmp_path)], capture_output=True)
    if mounted.returncode:
        pytest.skip(f"no disk can be mounted here: {mounted.stderr.decode().strip()}")
    yield tmp_path
    subprocess.run(["umount", "--lazy", str(tmp_path)], check=True)


async def test_acknowledged_faces_survive_and_space_is_enough_to_continue(disk: Path) -> None:
    location, acknowledged = Storage(str(disk / "gallery")), set[str]()
    async with writing(location) as writer:

        async def fill() -> None:
            for number, vector in enumerate(vectors(1000)):
                await enrol(writer, face(f"subject-{number}", vector))
                acknowledged.add(f"subject-{number}")

        with pytest.raises((RuntimeError, OSError)) as caught:
            await fill()
        assert is_full(caught.value)
        assert len(acknowledged) > 10
        # An optimisation needs space as well, and may find just enough.
        with suppress(RuntimeError, OSError):
            await writer.optimise()
        assert (await location.listed()).keys() == acknowledged
        subprocess.run(["mount", "-o", "remount,size=30m", str(disk)], check=True)
        await enrol(writer, face("one more"))
    assert (await location.listed()).keys() == {*acknowledged, "one more"}
