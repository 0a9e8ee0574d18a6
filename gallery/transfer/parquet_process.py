"""Decoding a Parquet file in a separate process with limited memory.

Pages, dictionaries and run lengths may expand without bound, and a damaged file may abort Arrow.
"""

import os
import resource
import select
import signal
import sys
import threading
from subprocess import DEVNULL, PIPE, Popen
from typing import IO

import pyarrow as pa
import pyarrow.parquet as pq

from project.request_error import RequestError
from project.root import ROOT

MAX_MEMORY = 512 * 2**20
"""Maximum memory of the process, in bytes. An export takes about 110 MB, and a file with pages of 100 MB about 340 MB.

The size of a row group does not matter, because only one page per column is in memory.
"""
BATCH_ROWS, BATCH_VALUES, BATCH_SIZE = 4096, 2**22, 32 * 2**20
"""Maximum rows, values of a column and bytes of a batch. A batch of one row may have more bytes."""
ROWS_KEY = b"facegraph.rows"
"""Key of the number of rows in the metadata of the stream's schema."""
_DAMAGED, _TOO_LARGE = 3, 4
_CRASHES = (signal.SIGABRT, signal.SIGBUS, signal.SIGFPE, signal.SIGSEGV)
"""Signals that end the process if the file makes Arrow crash. Others come from outside."""


class ParquetStream:
    """A Parquet file as an Arrow IPC stream with plain columns, which can be read once.

    Args:
        file: an open file with a descriptor. Its buffers must be flushed.
    """

    def __init__(self, file: IO[bytes]) -> None:
        variables = {"PYTHONPATH": str(ROOT), "ARROW_DEFAULT_MEMORY_POOL": "system", "OPENBLAS_NUM_THREADS": "1"}
        self._process = Popen(
            [sys.executable, "-P", "-m", __name__], stdin=file, stdout=PIPE, stderr=DEVNULL, env=os.environ | variables
        )

    def __enter__(self) -> "ParquetStream":
        return self

    def __exit__(self, *_: object) -> None:
        # Another thread may be waiting in `read`.
        with self._process:
            self._process.kill()

    def read(self, size: int) -> bytes:
        """Return `size` bytes.

        Raises:
            RequestError: ``INVALID_REQUEST``: the file is damaged, or its decoding needs more than `MAX_MEMORY`.
            RuntimeError: the process did not start or was killed.
        """
        assert self._process.stdout is not None
        if len(read := self._process.stdout.read(size)) == size:
            return read
        status = self._process.wait()
        if status == _DAMAGED:
            raise RequestError("INVALID_REQUEST", "The data is not a Parquet file, or it is damaged")
        if status == _TOO_LARGE or -status in _CRASHES:
            problem = f"The Parquet file needs more than {MAX_MEMORY >> 20} MiB of memory to decode, or it is damaged"
            raise RequestError("INVALID_REQUEST", problem)
        raise RuntimeError(f"the process that decodes a Parquet file ended with status {status}")


def plain_schema(schema: pa.Schema) -> pa.Schema:
    """Return a schema without dictionaries and text views, which may refer to the same bytes many times."""
    return pa.schema([field.with_type(_plain(field.type)) for field in schema], schema.metadata)


def _plain(kind: pa.DataType) -> pa.DataType:
    if pa.types.is_dictionary(kind):
        return _plain(kind.value_type)
    return pa.string() if pa.types.is_string_view(kind) else kind


def main() -> None:
    """Decode the file at the standard input, and write the stream to the standard output."""
    resource.setrlimit(resource.RLIMIT_DATA, (MAX_MEMORY, MAX_MEMORY))
    # The memory contains embeddings, which no file may keep.
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    threading.Thread(target=_end_with_the_reader, daemon=True).start()
    # After an error, nothing may close the stream, which would then look complete.
    try:
        _decode(sys.stdin.buffer, sys.stdout.buffer)
    except MemoryError:
        os._exit(_TOO_LARGE)
    except Exception:
        os._exit(_DAMAGED)


def _end_with_the_reader() -> None:
    """End the process when the one that reads its output closes it or is killed."""
    poll = select.poll()
    # Errors, such as a pipe without a reader, are always reported.
    poll.register(sys.stdout, 0)
    poll.poll()
    os._exit(1)


def _decode(file: IO[bytes], output: IO[bytes]) -> None:
    # Column chunks are read through a buffer. By default, they are read into memory.
    opened = pq.ParquetFile(file, page_checksum_verification=True, pre_buffer=False, buffer_size=2**20)
    schema = plain_schema(opened.schema_arrow)
    rows = {ROWS_KEY: str(opened.metadata.num_rows)}
    stream = pa.ipc.new_stream(output, schema.with_metadata((schema.metadata or {}) | rows))
    for batch in opened.iter_batches(_batch_rows(opened.metadata), use_threads=False):
        _write(stream, batch.cast(schema))
    stream.close()


def _batch_rows(metadata: pq.FileMetaData) -> int:
    """Return how many rows to decode at a time, from the lengths of the lists in the first row group."""
    if metadata.num_row_groups == 0:
        return BATCH_ROWS
    group = metadata.row_group(0)
    values: int = max((group.column(number).num_values for number in range(group.num_columns)), default=0)
    rows: int = group.num_rows
    return max(1, min(BATCH_ROWS, BATCH_VALUES * rows // max(1, values)))


def _write(stream: pa.RecordBatchStreamWriter, batch: pa.RecordBatch) -> None:
    if batch.nbytes <= BATCH_SIZE or len(batch) <= 1:
        stream.write_batch(batch)
    else:
        half = len(batch) // 2
        _write(stream, batch.slice(0, half))
        _write(stream, batch.slice(half))


if __name__ == "__main__":
    main()
