"""The audit log: who enrolled, searched or deleted whom. No photo, embedding or key stands in it."""

import json
import os
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

Action = Literal["enrol", "search", "delete", "change_collection", "delete_collection", "clean"]


@dataclass(frozen=True, slots=True)
class Event:
    """What a caller asked for, and what became of it.

    Attributes:
        key: id of the key; None for a caller without one.
        action: what was asked for.
        route: method and path, with the names of its parts instead of what stood there.
        subjects: ids of those enrolled, found or deleted, as far as the request came to tell of them.
        faces: ids of faces that the request named one by one.
        status: of the answer; None where the caller left before there was one.
    """

    request_id: str
    key: str | None
    address: str | None
    action: Action
    route: str
    collection: str | None
    subjects: tuple[str, ...]
    faces: tuple[str, ...]
    status: int | None


class Audit:
    """Appends events to a file, which several processes may do at once.

    Args:
        path: of the file, made at the first event; None for no log.
        now: the time of an event.
    """

    def __init__(self, path: Path | None, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._path = path
        self._now = now

    def write(self, event: Event) -> None:
        """Append an event.

        Raises:
            OSError: it could not be written, or only a part of it.
        """
        if self._path is None:
            return
        time = self._now().isoformat(timespec="milliseconds").replace("+00:00", "Z")
        # Escaped to ASCII: neither a line break nor half a character of a subject's id can end a line.
        line = json.dumps({"time": time, **asdict(event)}).encode("ascii") + b"\n"
        self._path.parent.mkdir(parents=True, exist_ok=True)
        # Opened each time, so that a log that was moved away is begun anew.
        file = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            # One write: lines of several processes do not mix.
            if (written := os.write(file, line)) < len(line):
                raise OSError(f"only {written} of {len(line)} bytes could be written to {self._path}")
        finally:
            os.close(file)
