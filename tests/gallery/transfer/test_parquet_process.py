"""Decoding Parquet files in another process."""

import io
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import psutil
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from gallery.transfer.face_streams import arrow_stream, parquet_file
from gallery.transfer.parquet_process import BATCH_ROWS, BATCH_SIZE, ROWS_KEY, ParquetStream
from project.request_error import RequestError
from project.root import ROOT
from tests.gallery.sample_transfers import parquet

ROWS = 2 * BATCH_ROWS + 1
TABLE = pa.table(
    {"subject": [f"subject-{row}" for row in range(ROWS)], "vector": [[float(row)] for row in range(ROWS)]}
)


def read(path: Path, data: bytes) -> pa.Table:
    path.write_bytes(data)
    with parquet_file(path) as (schema, batches):
        return pa.Table.from_batches(batches, schema)


@contextmanager
def started(path: Path) -> Iterator[tuple[ParquetStream, psutil.Process]]:
    """A process that has more to write than a pipe holds."""
    path.write_bytes(parquet(TABLE))
    known = set(psutil.Process().children())
    with path.open("rb") as file, ParquetStream(file) as stream:
        [process] = set(psutil.Process().children()) - known
        yield stream, process


def large_dictionary() -> bytes:
    """Each row has the same mebibyte."""
    of_value = pa.DictionaryArray.from_arrays(pa.array([0] * BATCH_ROWS, pa.int32()), pa.array(["x" * 2**20]))
    pq.write_table(pa.table({"subject": of_value}), file := io.BytesIO(), compression="zstd", store_schema=False)
    return file.getvalue()


def long_lists() -> bytes:
    """A batch of short lists, then long lists of nulls."""
    lists = [pa.array([[0.0]] * BATCH_ROWS, pa.list_(pa.float32()))]
    lists += [pa.ListArray.from_arrays(pa.array([0, 2**22], pa.int32()), pa.nulls(2**22, pa.float32()))] * 64
    file = io.BytesIO()
    with pq.ParquetWriter(file, pa.schema([("vector", lists[0].type)])) as writer:
        for each in lists:
            writer.write_batch(pa.record_batch({"vector": each}))
    return file.getvalue()


def test_a_stream_has_the_rows_of_the_file_in_plain_columns(tmp_path: Path) -> None:
    subject = TABLE["subject"].combine_chunks()
    encoded = TABLE.append_column("label", subject.dictionary_encode()).append_column("id", subject.cast("string_view"))
    found = read(tmp_path / "file", parquet(encoded.replace_schema_metadata({"key": "value"})))
    assert found.schema.metadata == {b"key": b"value", ROWS_KEY: str(ROWS).encode()}
    assert found.equals(TABLE.append_column("label", subject).append_column("id", subject))


def test_a_batch_has_a_limited_size_although_its_dictionary_is_short(tmp_path: Path) -> None:
    label = pa.array(["x" * 40_000] * 2000)
    path = tmp_path / "file"
    path.write_bytes(parquet(pa.table({"label": label.dictionary_encode()})))
    with parquet_file(path) as (_, batches):
        sizes = [batch.nbytes for batch in batches]
    assert sum(sizes) >= label.nbytes
    assert max(sizes) <= BATCH_SIZE


@pytest.mark.parametrize("bomb", [large_dictionary, long_lists])
def test_a_file_that_needs_too_much_memory_is_refused(tmp_path: Path, bomb: Callable[[], bytes]) -> None:
    data = bomb()
    assert len(data) < 2**16
    with pytest.raises(RequestError, match="more than 512 MiB of memory") as caught:
        read(tmp_path / "file", data)
    assert caught.value.code == "INVALID_REQUEST"


def test_truncated_files_and_other_formats_are_refused(tmp_path: Path) -> None:
    whole = parquet(TABLE)
    for data in (b"", whole[:100], whole[:-20], whole.replace(b"subject", b"subjec\xff"), b"x" * 1000):
        with pytest.raises(RequestError, match="not a Parquet file") as caught:
            read(tmp_path / "file", data)
        assert caught.value.code == "INVALID_REQUEST"


def test_only_a_crash_is_blamed_on_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for sent, error in ((signal.SIGSEGV, RequestError), (signal.SIGKILL, RuntimeError)):
        with started(tmp_path / "file") as (stream, process):
            _, batches = arrow_stream(stream)
            process.send_signal(sent)
            with pytest.raises(error, match=r"or it is damaged|status -9"):
                list(batches)
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with started(tmp_path / "file") as (stream, _), pytest.raises(RuntimeError, match="status 1"):
        stream.read(8)


def test_modules_in_the_current_folder_are_not_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "pyarrow.py").write_text("raise ImportError")
    monkeypatch.chdir(tmp_path)
    assert len(read(tmp_path / "file", parquet(TABLE))) == ROWS


def test_no_process_is_left_although_a_thread_waits_for_it(tmp_path: Path) -> None:
    with ThreadPoolExecutor(1) as thread:
        with started(tmp_path / "file") as (stream, process):
            process.suspend()
            reading = thread.submit(stream.read, 8)
        assert not process.is_running()
        assert isinstance(reading.exception(), RuntimeError)


def test_the_process_ends_with_the_one_that_reads(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(long_lists())
    command = [sys.executable, "-m", ParquetStream.__module__]
    with path.open("rb") as file, subprocess.Popen(command, stdin=file, stdout=subprocess.PIPE, cwd=ROOT) as process:
        assert process.stdout is not None
        process.stdout.read(8)
        # It is decoding the second batch, which takes long.
        process.stdout.close()
        assert process.wait(30) == 1
