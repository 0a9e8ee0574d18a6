"""The progress of long steps."""

from collections.abc import Iterable, Sequence
from typing import Protocol, TypeVar

Item = TypeVar("Item")


class Track(Protocol):
    """Yields the items and shows how many have been consumed."""

    def __call__(self, items: Sequence[Item], what: str) -> Iterable[Item]: ...
