"""Columns of hex digits."""

import binascii

import numpy as np
import pyarrow as pa


def decoded_hex(column: pa.StringArray | pa.ChunkedArray) -> bytes:
    """Return the bytes that the strings of a column without nulls stand for, joined."""
    chunks = column.chunks if isinstance(column, pa.ChunkedArray) else [column]
    return binascii.unhexlify(b"".join(map(_text, chunks)))


def _text(column: pa.StringArray) -> bytes:
    """Return all strings of a column, joined. Making a Python object of each takes seconds for a million."""
    _, offsets, characters = column.buffers()
    ends = np.frombuffer(offsets, np.int32)[column.offset : column.offset + len(column) + 1]
    return memoryview(characters or b"")[int(ends[0]) : int(ends[-1])].tobytes() if len(column) else b""
