"""Growing columns of fixed-size rows in files, read row by row or mapped into memory."""

import mmap
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

MIN_ROWS = 1024


class MirrorFileError(Exception):
    """The files of a mirror cannot be read or written, for example because the disk is full."""


@contextmanager
def file_errors() -> Iterator[None]:
    """Raise `MirrorFileError` for any OSError, which would otherwise be taken for damage to the gallery itself."""
    try:
        yield
    except OSError as error:
        raise MirrorFileError(str(error)) from error


class FileColumn:
    """Reads and writes rows with `pread` and `pwrite`. Methods raise `MirrorFileError`.

    Writing to a mapping of a sparse file kills the process when the disk is full; `pwrite` raises an error instead.

    Args:
        file: descriptor of an open file, closed with this object.
        dtype: type of a number.
        width: numbers per row; 0 if a row is one number or record.
    """

    def __init__(self, file: int, dtype: DTypeLike, width: int = 0) -> None:
        self.file = file
        self._dtype = np.dtype(dtype)
        self._shape = (-1, width) if width else (-1,)
        self.row_bytes = self._dtype.itemsize * max(width, 1)

    def __del__(self) -> None:
        os.close(self.file)

    @file_errors()
    def read(self, first: int, count: int = 1) -> NDArray[Any]:
        """Return a copy of `count` rows from row `first` on."""
        wanted, parts = count * self.row_bytes, list[bytes]()
        while left := wanted - sum(map(len, parts)):
            if not (part := os.pread(self.file, left, first * self.row_bytes + wanted - left)):
                raise OSError(f"the file ends before row {first + count}")
            parts.append(part)
        return np.frombuffer(b"".join(parts), self._dtype).reshape(self._shape)

    @file_errors()
    def gather(self, rows: Sequence[int]) -> NDArray[Any]:
        """Return a copy of the rows with these numbers."""
        found = np.empty((len(rows), *self._shape[1:]), self._dtype)
        # The disk reads all rows at once that are not in memory, instead of one after the other.
        for row in rows:
            os.posix_fadvise(self.file, row * self.row_bytes, self.row_bytes, os.POSIX_FADV_WILLNEED)
        for place, row in zip(found, rows, strict=True):
            if os.preadv(self.file, [place], row * self.row_bytes) < self.row_bytes:
                raise OSError(f"the file ends before row {row + 1}")
        return found

    @file_errors()
    def write(self, first: int, rows: NDArray[Any]) -> None:
        """Write `rows` from row `first` on."""
        self._reserve(first + len(rows))
        left, at = memoryview(rows.tobytes()), first * self.row_bytes
        while left:
            written = os.pwrite(self.file, left, at)
            left, at = left[written:], at + written

    @file_errors()
    def clear(self, first: int, last: int) -> None:
        """Overwrite the rows from `first` to before `last` with zeros."""
        for start in range(first, last, MIN_ROWS):
            os.pwrite(self.file, bytes((min(start + MIN_ROWS, last) - start) * self.row_bytes), start * self.row_bytes)

    @file_errors()
    def cut(self, count: int) -> None:
        """Erase everything after the first `count` rows. No process may be reading the erased part."""
        os.ftruncate(self.file, count * self.row_bytes)
        self._reserve(count)

    def _reserve(self, count: int) -> None:
        """Make room for `count` rows. The file grows by a quarter or more, since other processes must map it again."""
        there = os.fstat(self.file).st_size // self.row_bytes
        if count > there or not there:
            os.ftruncate(self.file, max(count, there * 5 // 4, MIN_ROWS) * self.row_bytes)


class MappedColumn(FileColumn):
    """A column that can also map its rows into memory, which all processes of a node share.

    Args:
        file, dtype, width: as for `FileColumn`.
    """

    def __init__(self, file: int, dtype: DTypeLike, width: int = 0) -> None:
        super().__init__(file, dtype, width)
        self._rows: NDArray[Any] = np.zeros(0, self._dtype)

    @file_errors()
    def rows(self, count: int) -> NDArray[Any]:
        """Return the first `count` rows, read-only. Changes to them by any process appear in the array."""
        if count > len(self._rows):
            mapping = mmap.mmap(self.file, 0, access=mmap.ACCESS_READ)
            whole = len(mapping) // self.row_bytes * self.row_bytes
            self._rows = np.frombuffer(memoryview(mapping)[:whole], self._dtype).reshape(self._shape)
            if count > len(self._rows):
                raise OSError(f"the file has {len(self._rows)} rows, not {count}")
        return self._rows[:count]
