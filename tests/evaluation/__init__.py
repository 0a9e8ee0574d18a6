"""Progress that is not shown, and files without content."""

from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

Item = TypeVar("Item")


def silent(items: Sequence[Item], what: str) -> Sequence[Item]:
    """An `evaluation.progress.Track` that shows nothing."""
    return items


def touch(folder: Path, *names: str) -> Path:
    """Create empty files and their folders in `folder`; return `folder`."""
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    return folder
