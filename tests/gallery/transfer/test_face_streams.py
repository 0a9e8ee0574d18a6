"""Arrow streams of faces."""

import io
import struct
import tracemalloc

import pyarrow as pa
import pytest

from gallery.transfer import face_batches, face_streams
from gallery.transfer.face_streams import arrow_stream, checked_batches, contract_of
from project.request_error import RequestError
from tests.gallery.sample_gallery import SIZE, vectors
from tests.gallery.sample_transfers import arrow

ROWS = 50


def table() -> pa.Table:
    return pa.table({"subject": [f"subject-{row}" for row in range(ROWS)], "vector": vectors(ROWS).tolist()})


def read(data: bytes) -> list[tuple[int, list[str]]]:
    schema, batches = arrow_stream(io.BytesIO(data))
    return [(rows, batch["subject"].to_pylist()) for rows, batch in checked_batches(schema, batches, SIZE)]


def test_a_stream_is_cut_into_commits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(face_batches, "_MAX_ROWS", 16)
    subjects = table()["subject"].to_pylist()
    parts = [subjects[start : start + 16] for start in (0, 16, 32, 48)]
    assert read(arrow(table())) == [(len(part), part) for part in parts]


def test_faces_that_do_not_fit_into_a_message_are_cut_into_more_commits(monkeypatch: pytest.MonkeyPatch) -> None:
    [(_, whole)] = checked_batches(*arrow_stream(io.BytesIO(arrow(table(), rows=ROWS))), SIZE)
    monkeypatch.setattr(face_streams, "MAX_COMMIT", whole.nbytes // 3)
    cut = read(arrow(table(), rows=ROWS))
    assert [rows for rows, _ in cut] == [12, 13, 12, 13]
    assert [subject for _, subjects in cut for subject in subjects] == table()["subject"].to_pylist()


def test_rows_that_are_too_large_are_refused_before_there_are_enough_for_a_commit(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    labelled = table().append_column("label", pa.array(["x" * 1000] * ROWS))
    monkeypatch.setattr(face_streams, "MAX_COMMIT", 5000)
    schema, batches = arrow_stream(stream := io.BytesIO(arrow(labelled, rows=1)))
    with pytest.raises(RequestError, match="Row 0: The label has more"):
        next(checked_batches(schema, batches, SIZE))
    assert stream.tell() < len(stream.getvalue()) // 2


def test_truncated_data_and_other_formats_are_refused() -> None:
    stream = arrow(table(), rows=ROWS)
    for data in (
        *(stream[:length] for length in range(0, len(stream), 4)),
        # The last offset of the subjects.
        stream.replace(struct.pack("<2i", 480, 490), struct.pack("<2i", 480, -490)),
        b"x" * 1000,
    ):
        with pytest.raises(RequestError, match="not an Arrow IPC stream") as caught:
            read(data)
        assert caught.value.code == "INVALID_REQUEST"


def old_stream(metadata: dict[str, str] | None) -> bytes:
    """An Arrow stream of version 4 whose batch has custom metadata."""
    file, options = io.BytesIO(), pa.ipc.IpcWriteOptions(metadata_version=pa.ipc.MetadataVersion.V4)
    [batch] = table().to_batches()
    with pa.ipc.new_stream(file, batch.schema, options=options) as stream:
        stream.write_batch(batch, custom_metadata=metadata)
    return file.getvalue()


def test_a_batch_has_a_limited_size_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    encoded = table().set_column(0, "subject", table()["subject"].dictionary_encode())
    compression = {"ARROW:experimental_compression": "zstd"}
    for data in (arrow(table(), compression="zstd"), arrow(encoded), old_stream(compression)):
        with pytest.raises(RequestError, match="send plain columns"):
            read(data)
    assert len(read(old_stream(None))[0][1]) == ROWS
    monkeypatch.setattr(face_streams, "MAX_MESSAGE", 2000)
    assert len(read(arrow(table()))[0][1]) == ROWS
    with pytest.raises(RequestError, match="more than 2000 bytes"):
        read(arrow(table(), rows=ROWS))


def test_text_views_become_texts_of_a_limited_size(monkeypatch: pytest.MonkeyPatch) -> None:
    label = "x" * 200
    views = pa.py_buffer(struct.pack("<i4s2i", len(label), b"xxxx", 0, 0) * ROWS)
    repeated = pa.Array.from_buffers(pa.string_view(), ROWS, [None, views, pa.py_buffer(label.encode())])
    data = arrow(table().append_column("label", repeated), rows=ROWS)
    schema, batches = arrow_stream(io.BytesIO(data))
    [batch] = batches
    assert batch.schema == schema
    assert batch["label"] == pa.array([label] * ROWS)
    monkeypatch.setattr(face_streams, "MAX_MESSAGE", len(label) * ROWS - 1)
    assert len(data) < face_streams.MAX_MESSAGE
    with pytest.raises(RequestError, match="batch of more than"):
        read(data)


def test_a_batch_does_not_keep_the_unused_bytes_of_its_message() -> None:
    data, unused = arrow(table(), rows=ROWS), 2**20
    _, message = pa.ipc.MessageReader.open_stream(io.BytesIO(data))
    length, longer = (struct.pack("<q", message.body.size + more) for more in (0, unused))
    _, batches = arrow_stream(io.BytesIO(data[:-8].replace(length, longer) + bytes(unused) + data[-8:]))
    tracemalloc.start()
    [batch] = batches
    assert tracemalloc.get_traced_memory()[0] < unused
    tracemalloc.stop()
    assert len(batch) == ROWS


def test_the_name_of_a_column_that_is_not_utf_8_is_refused() -> None:
    with pytest.raises(RequestError, match="name of a column"):
        read(arrow(table()).replace(b"subject", b"subjec\xff"))


@pytest.mark.parametrize(
    ("metadata", "contract"),
    [(None, None), (b"no JSON", None), (b"[]", None), (b'{"contract": 1}', None), (b'{"contract": "c"}', "c")],
)
def test_the_contract_of_an_export(metadata: bytes | None, contract: str | None) -> None:
    assert contract_of(pa.schema([], {b"facegraph.collection": metadata} if metadata else None)) == contract
