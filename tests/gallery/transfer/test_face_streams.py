"""Arrow streams of faces."""

import io
import struct

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


def test_a_batch_has_a_limited_size_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    encoded = table().set_column(0, "subject", table()["subject"].dictionary_encode())
    for data in (arrow(table(), compression="zstd"), arrow(encoded)):
        with pytest.raises(RequestError, match="send plain columns"):
            read(data)
    monkeypatch.setattr(face_streams, "MAX_MESSAGE", 2000)
    assert len(read(arrow(table()))[0][1]) == ROWS
    with pytest.raises(RequestError, match="more than 2000 bytes"):
        read(arrow(table(), rows=ROWS))


def test_the_name_of_a_column_that_is_not_utf_8_is_refused() -> None:
    with pytest.raises(RequestError, match="name of a column"):
        read(arrow(table()).replace(b"subject", b"subjec\xff"))


@pytest.mark.parametrize(
    ("metadata", "contract"),
    [(None, None), (b"no JSON", None), (b"[]", None), (b'{"contract": 1}', None), (b'{"contract": "c"}', "c")],
)
def test_the_contract_of_an_export(metadata: bytes | None, contract: str | None) -> None:
    assert contract_of(pa.schema([], {b"facegraph.collection": metadata} if metadata else None)) == contract
