"""Reading faces to import from an Arrow IPC stream or a Parquet file, in batches of bounded size."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

import flatbuffers.encode
import flatbuffers.number_types
import flatbuffers.packer
import flatbuffers.table
import numpy as np
import pyarrow as pa

from gallery.transfer.face_batches import check_columns, checked_batch, rows_per_commit
from gallery.transfer.parquet_process import ParquetStream, plain_schema
from project.request_error import RequestError

COLLECTION_KEY = b"facegraph.collection"
"""Key of the collection's description in the metadata of an export."""
MAX_MESSAGE = 64 * 2**20
"""Maximum size of a batch of an Arrow stream, in bytes."""
MAX_COMMIT = 48 * 2**20
"""Maximum size of the faces of one commit, in bytes. They are sent to the writer in one message of at most 64 MiB."""


class Readable(Protocol):
    """A file that is read from its beginning to its end."""

    def read(self, size: int, /) -> bytes: ...


def arrow_stream(file: Readable) -> tuple[pa.Schema, Iterator[pa.RecordBatch]]:
    """Return the schema of an Arrow IPC stream, and an iterator that reads its batches. Text views become texts.

    Raises:
        RequestError: ``INVALID_REQUEST``, which the iterator also raises.
    """
    with _stream_errors():
        messages = pa.ipc.MessageReader.open_stream(_BoundedReads(file))
        schema = pa.ipc.read_schema(messages.read_next_message())

    def batches() -> Iterator[pa.RecordBatch]:
        with _stream_errors():
            for message in messages:
                if message.type != "record batch" or _is_compressed(message.metadata.to_pybytes()):
                    raise RequestError(
                        "INVALID_REQUEST", "The Arrow stream has compressed batches or dictionaries; send plain columns"
                    )
                yield _plain_batch(pa.ipc.read_record_batch(message, schema), message.body.size)

    return plain_schema(schema), batches()


@contextmanager
def parquet_file(path: Path) -> Iterator[tuple[pa.Schema, Iterator[pa.RecordBatch]]]:
    """Open a Parquet file for `arrow_stream`."""
    with path.open("rb") as file, ParquetStream(file) as stream:
        yield arrow_stream(stream)


def contract_of(schema: pa.Schema) -> str | None:
    """Return the contract of the embeddings of an exported collection, or None for another file."""
    try:
        contract = json.loads((schema.metadata or {})[COLLECTION_KEY])["contract"]
    except (KeyError, TypeError, ValueError):
        return None
    return contract if isinstance(contract, str) else None


def checked_batches(
    schema: pa.Schema, batches: Iterator[pa.RecordBatch], size: int
) -> Iterator[tuple[int, pa.RecordBatch]]:
    """Cut a stream into batches for one commit each, and check them.

    Args:
        size: length of an embedding.

    Yields:
        The number of rows read, and the batch that `gallery.transfer.face_batches.checked_batch` made of them.

    Raises:
        RequestError: by `checked_batch` or `batches`.
    """
    check_columns(schema, size)
    done = 0
    for batch in cut(batches, rows_per_commit(size)):
        yield from _checked(batch, size, done)
        done += len(batch)


def cut(batches: Iterator[pa.RecordBatch], rows: int) -> Iterator[pa.RecordBatch]:
    """Yield batches of `rows` rows. The last batch, and batches that reach `MAX_COMMIT` bytes, have fewer rows."""
    held, count, held_bytes = list[pa.RecordBatch](), 0, 0
    for batch in batches:
        start = 0
        while start < len(batch):
            part = batch.slice(start, rows - count)
            held.append(part)
            count, held_bytes, start = count + len(part), held_bytes + part.nbytes, start + len(part)
            if count == rows or held_bytes >= MAX_COMMIT:
                yield pa.concat_batches(held)
                held, count, held_bytes = [], 0, 0
    if held:
        yield pa.concat_batches(held)


def _checked(batch: pa.RecordBatch, size: int, first: int) -> Iterator[tuple[int, pa.RecordBatch]]:
    """Check a batch whose first row has the number `first`, in halves if it would exceed `MAX_COMMIT`."""
    # Measured after the check, which adds columns and converts numbers to longer ones.
    checked = checked_batch(batch, size, first)
    if checked.nbytes <= MAX_COMMIT or len(batch) == 1:
        yield len(batch), checked
    else:
        half = len(batch) // 2
        yield from _checked(batch.slice(0, half), size, first)
        yield from _checked(batch.slice(half), size, first + half)


def _plain_batch(batch: pa.RecordBatch, body_size: int) -> pa.RecordBatch:
    """Check a batch that was read from a message with `body_size` bytes, and bound its size in memory."""
    batch.validate()
    if any(pa.types.is_string_view(column.type) and _text_size(column) > MAX_MESSAGE for column in batch):
        raise _too_large()
    # Before anything cuts or joins batches by their offsets.
    batch.validate(full=True)
    if (schema := plain_schema(batch.schema)) != batch.schema:
        batch = batch.cast(schema)
    # A batch keeps its message in memory. The concatenation copies what the batch uses.
    return batch if body_size <= 2 * batch.nbytes else pa.concat_batches([batch, batch.slice(0, 0)])


def _text_size(column: pa.Array) -> int:
    """Return the size of all texts of a column of views that was read from a message, in bytes."""
    # The first of the four numbers of a view is its length. A negative one is invalid, and becomes a large one.
    lengths = np.frombuffer(column.buffers()[1], np.uint32, 4 * len(column))[::4]
    return int(lengths[column.is_valid().to_numpy(zero_copy_only=False)].sum(dtype=np.int64))


def _too_large() -> RequestError:
    problem = f"The body has a batch of more than {MAX_MESSAGE} bytes, or is not an Arrow IPC stream"
    return RequestError("INVALID_REQUEST", problem)


class _BoundedReads:
    """A file from which at most `MAX_MESSAGE` bytes are read at once. Raises EOFError if the file is cut off."""

    closed = False

    def __init__(self, file: Readable) -> None:
        self._file = file

    def read(self, size: int = -1) -> bytes:
        # Arrow reads whole messages, whose sizes the stream states.
        if not 0 <= size <= MAX_MESSAGE:
            raise _too_large()
        if len(read := self._file.read(size)) < size:
            raise EOFError
        return read

    def close(self) -> None:
        self.closed = True


def _is_compressed(metadata: bytes) -> bool:
    """Whether a record batch message is compressed. Its size in memory is then unknown.

    The fields are in Arrow's ``Message.fbs``: the version is the first of `Message`, the header the third, the custom
    metadata the fifth, and the compression is the fourth of `RecordBatch`. A field's offset is twice its number plus 4.
    """
    root = flatbuffers.encode.Get(flatbuffers.packer.uoffset, metadata, 0)
    message = flatbuffers.table.Table(metadata, root)
    header = flatbuffers.table.Table(metadata, message.Indirect(message.Pos + message.Offset(8)))
    version = message.GetSlot(4, 0, flatbuffers.number_types.Int16Flags)
    # Before version 5, which has the number 4, the custom metadata may name a compression.
    return bool(header.Offset(10) or (version < 4 and message.Offset(12)))


@contextmanager
def _stream_errors() -> Iterator[None]:
    """Raise ``INVALID_REQUEST`` for any error that reading an Arrow IPC stream causes."""
    try:
        yield
    except (pa.ArrowException, OSError, EOFError, StopIteration, UnicodeDecodeError) as error:
        raise RequestError("INVALID_REQUEST", "The body is not an Arrow IPC stream, or it is cut off") from error
