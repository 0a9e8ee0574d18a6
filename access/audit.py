"""The audit log of enrolments, searches, verifications, changes and deletions.

It never contains photos, embeddings, metadata or keys.
"""

import json
import os
from collections.abc import Callable
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

Action = Literal[
    "enrol",
    "search",
    "verify",
    "rename",
    "merge",
    "set_metadata",
    "delete",
    "change_collection",
    "delete_collection",
    "clean",
]


@dataclass(frozen=True, slots=True)
class Event:
    """A request and its outcome.

    Attributes:
        request_id: id of the request.
        key: id of the API key; None without a key.
        address: IP address of the caller.
        action: what the request asked for.
        route: method and path template, e.g. ``GET /v1/collections/{collection}``.
        collection: name of the collection.
        subjects: ids of the subjects to enrol, verify, change or delete, or of those that a search found. If the
            request failed, some may be missing.
        faces: ids of individual faces that the request names.
        status: HTTP status of the response; None if the caller disconnected before it.
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
    """Appends events to a file. Several processes may share the file.

    Args:
        path: path of the file, which is created by the first event; None for no log.
        now: returns the current time.
    """

    def __init__(self, path: Path | None, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._path = path
        self._now = now

    def write(self, event: Event) -> None:
        """Append an event.

        Raises:
            OSError: it was not written, or not completely.
        """
        if self._path is None:
            return
        time = self._now().isoformat(timespec="milliseconds").replace("+00:00", "Z")
        # JSON is escaped to ASCII, so that no line break or lone surrogate in a subject's id can break the line.
        # `asdict` would copy every value recursively.
        named = {field.name: getattr(event, field.name) for field in fields(event)}
        line = json.dumps({"time": time, **named}).encode("ascii") + b"\n"
        self._path.parent.mkdir(parents=True, exist_ok=True)
        # Open the file each time, so that a log moved away by rotation is replaced by a new one.
        file = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            # A single write, so that lines of several processes do not mix.
            if (written := os.write(file, line)) < len(line):
                raise OSError(f"only {written} of {len(line)} bytes could be written to {self._path}")
        finally:
            os.close(file)
