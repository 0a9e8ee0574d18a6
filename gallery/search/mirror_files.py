"""The files of a mirror, shared by all readers of a node and kept when they restart.

Rows are added behind the published ones, then published. Other changes are made in place, and a counter tells searches
in other processes that rows have moved. A process must hold a lock to change the files; searches do not need it.
"""

import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gallery.search.mapped_column import FileColumn, MappedColumn, MirrorFileError, file_errors
from gallery.search.quantisation import CodedFaces, quantised

FORMAT = b"facegraph mirror 3"
NAMES = ("state", "codes", "scales", "records", "subjects", "vectors")
_BOOT = Path("/proc/sys/kernel/random/boot_id")

STATE = np.dtype(
    [
        ("format", "S24"),
        # Identifies the boot of the machine. After a power loss, some pages may be older than others.
        ("boot", "S40"),
        ("size", np.int64),
        # Odd while rows are moved or erased.
        ("moves", np.int64),
        # The table's version, and its newest commit, up to which the rows are complete.
        ("version", np.int64),
        ("commit", np.int64),
        ("faces", np.int64),
        # Bytes written for all subjects, and how many of them belong to erased rows.
        ("subject_bytes", np.int64),
        ("erased_bytes", np.int64),
        # Largest error of the codes.
        ("error", np.float64),
    ]
)
KEY = np.dtype([("id", "V16"), ("commit", np.int64)])
"""Identifies an embedding: a face that is enrolled again keeps its id, but gets the number of the new commit."""
RECORD = np.dtype([("key", KEY), ("subject_start", np.int64), ("subject_bytes", np.int64)])


def face_bytes(size: int) -> int:
    """Memory of a face's codes and their scale, in bytes. All other data is read from files and takes no memory."""
    return size + np.dtype(np.float32).itemsize


@dataclass(frozen=True, slots=True, eq=False)
class NewRows:
    """Rows to add to a mirror.

    Attributes:
        keys: of type `KEY`.
        subjects: one per row.
        vectors: float32 (rows, size) of length 1.
    """

    keys: NDArray[np.void]
    subjects: Sequence[str]
    vectors: NDArray[np.float32]


class MirrorFiles:
    """The open files of a mirror. Methods raise `MirrorFileError`.

    Args:
        opened: opens the file with one of these `NAMES`, and returns its descriptor.
        size: length of an embedding.
        shared: whether the files are in a folder; otherwise they are in memory.

    Attributes:
        added: number of rows added since the last publication.
    """

    def __init__(self, opened: Callable[[str], int], size: int, shared: bool) -> None:
        self.shared = shared
        self._size = size
        # Each column closes its file, even if a later file cannot be opened.
        self._state_column = MappedColumn(opened("state"), STATE)
        self._codes = MappedColumn(opened("codes"), np.int8, size)
        self._scales = MappedColumn(opened("scales"), np.float32)
        # Searches read few rows of these files. If mapped, they would count as this process's memory.
        self._records = FileColumn(opened("records"), RECORD)
        self._subjects = FileColumn(opened("subjects"), np.uint8)
        self._vectors = FileColumn(opened("vectors"), np.float32, size)
        self._by_face = (self._codes, self._scales, self._records, self._vectors)
        self.added = self._added_bytes = 0

    @classmethod
    def in_memory(cls, size: int) -> "MirrorFiles":
        """Create empty files in memory, without names."""
        made = cls(lambda name: os.memfd_create(f"mirror-{name}"), size, shared=False)
        made._begin()
        return made

    @classmethod
    def at(cls, folder: Path, size: int) -> "MirrorFiles":
        """Open the files in `folder`, or create empty ones if they cannot be trusted. The caller holds the lock.

        Raises:
            MirrorFileError: the folder is not writable.
        """
        with suppress(OSError, MirrorFileError):
            opened = cls(lambda name: os.open(folder / name, os.O_RDWR), size, shared=True)
            if opened._is_valid():
                return opened
        with file_errors():
            for name in NAMES:
                (folder / name).unlink(missing_ok=True)
            flags = os.O_RDWR | os.O_CREAT | os.O_EXCL
            made = cls(lambda name: os.open(folder / name, flags, 0o600), size, shared=True)
        made._begin()
        return made

    @property
    def bytes(self) -> int:
        """Memory used, in bytes."""
        return len(self) * (face_bytes(self._size) + (0 if self.shared else self._vectors.row_bytes))

    @property
    def version(self) -> int:
        """Version of the table that the rows are a copy of; -1 if there is none yet."""
        return int(self._state["version"])

    @property
    def commit(self) -> int:
        """Newest commit of that version."""
        return int(self._state["commit"])

    @property
    def moves(self) -> int:
        """Grows when rows are moved or erased. Odd while that happens."""
        return int(self._state["moves"])

    @property
    def error(self) -> float:
        """Largest error of the codes; see `gallery.search.quantisation`."""
        return float(self._state["error"])

    def __len__(self) -> int:
        return int(self._state["faces"])

    @property
    def deleted(self) -> bool:
        """Whether the files have been deleted, so that no other process uses them."""
        return self.shared and os.fstat(self._state_column.file).st_nlink == 0

    def codes(self, faces: int) -> CodedFaces:
        """Return the codes of the first `faces` rows."""
        return CodedFaces(self._codes.rows(faces), self._scales.rows(faces))

    def vectors(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return embeddings, float32 (len(rows), size)."""
        return self._vectors.gather(rows.tolist())

    def keys(self) -> NDArray[np.void]:
        """Return the keys of all rows."""
        return np.array(self._records.read(0, len(self))["key"])

    def face_id(self, row: int) -> str:
        """Return the id of the face in `row`."""
        return bytes(self._records.read(row)[0]["key"]["id"]).hex()

    def subject(self, row: int) -> str:
        """Return the subject of the face in `row`."""
        record = self._records.read(row)[0]
        # Bytes that another process is erasing may not be valid UTF-8. The search is then repeated.
        read = self._subjects.read(int(record["subject_start"]), int(record["subject_bytes"]))
        return read.tobytes().decode(errors="replace")

    def add(self, faces: NewRows) -> None:
        """Write rows behind the published ones."""
        first, subject_start = len(self) + self.added, int(self._state["subject_bytes"]) + self._added_bytes
        subjects = [subject.encode() for subject in faces.subjects]
        lengths = np.fromiter(map(len, subjects), np.int64, len(subjects))
        codes, scales, errors = quantised(faces.vectors)
        records = np.zeros(len(subjects), RECORD)
        records["key"] = faces.keys
        records["subject_start"], records["subject_bytes"] = subject_start + np.cumsum(lengths) - lengths, lengths
        self._subjects.write(subject_start, np.frombuffer(b"".join(subjects), np.uint8))
        self._vectors.write(first, faces.vectors)
        self._codes.write(first, codes)
        self._scales.write(first, scales)
        self._records.write(first, records)
        # A larger bound than necessary does no harm if the rows are never published.
        self._set(error=max(self.error, *errors.tolist()))
        self.added += len(subjects)
        self._added_bytes += int(lengths.sum())

    def publish(self, version: int, commit: int, gone: NDArray[np.int64]) -> None:
        """Let searches see the rows added since the last publication, and erase the rows in `gone`.

        Args:
            version, commit: the table's version that the rows now match, and its newest commit.
            gone: published rows to erase, in ascending order. The last rows move into the gaps.
        """
        there = len(self) + self.added
        left = there - len(gone)
        # Written before the number of faces, which is what lets searches read the rows.
        self._set(subject_bytes=int(self._state["subject_bytes"]) + self._added_bytes)
        if not len(gone):
            self._set(faces=left, version=version, commit=commit)
        else:
            self._set(moves=self.moves + 1)
            erased = int(self._state["erased_bytes"])
            for row in gone.tolist():
                record = self._records.read(row)[0]
                start, length = int(record["subject_start"]), int(record["subject_bytes"])
                self._subjects.clear(start, start + length)
                erased += length
            staying = np.setdiff1d(np.arange(left, there), gone)
            for column in self._by_face:
                for gap, row in zip(gone.tolist(), staying.tolist(), strict=False):
                    column.write(gap, column.read(row))
            self._set(faces=left, erased_bytes=erased)
            for column in self._by_face:
                column.clear(left, there)
            self._set(moves=self.moves + 1, version=version, commit=commit)
        self.added = self._added_bytes = 0

    def discard(self) -> None:
        """Erase rows that were added but not published."""
        for column in self._by_face:
            column.cut(len(self))
        self._subjects.cut(int(self._state["subject_bytes"]))
        self.added = self._added_bytes = 0

    @property
    def wasteful(self) -> bool:
        """Whether most of the subjects' bytes belong to erased rows."""
        return int(self._state["erased_bytes"]) > int(self._state["subject_bytes"]) // 2 + 2**19

    @property
    def _state(self) -> np.void:
        state: np.void = self._state_column.rows(1)[0]
        return state

    def _set(self, **values: float) -> None:
        state = np.array(self._state_column.rows(1))
        for name, value in values.items():
            state[name] = value
        self._state_column.write(0, state)

    def _begin(self) -> None:
        state = np.zeros(1, STATE)
        state["format"], state["boot"], state["size"] = FORMAT, _BOOT.read_bytes().strip(), self._size
        state["version"] = state["commit"] = -1
        self._state_column.write(0, state)

    def _is_valid(self) -> bool:
        state = self._state
        expected = (FORMAT, _BOOT.read_bytes().strip(), self._size)
        if (state["format"], state["boot"], state["size"]) != expected or state["moves"] % 2 or self.wasteful:
            return False
        # Erases rows that a killed process added but did not publish.
        self.discard()
        return True
