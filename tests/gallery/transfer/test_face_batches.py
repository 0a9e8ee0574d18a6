"""Checking the faces of a client or a file by column. Every error names its row."""

import hashlib
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gallery.records import MAX_SUBJECT, FacePlace, NewFace, subject_key
from gallery.transfer.face_batches import checked_batch, rows_per_commit
from gallery.unit_vectors import normalised
from project.request_error import RequestError
from tests.gallery.sample_gallery import HOSTILE, SIZE, vectors

ROWS = 5
PLACE = FacePlace("a" * 32, (0.25, 0.25, 0.25, 0.25), 0.5).text


def batch(**columns: Any) -> pa.RecordBatch:
    """A batch of `ROWS` faces, with other `columns`; None leaves one out."""
    plain = {"subject": [f"subject-{row}" for row in range(ROWS)], "vector": vectors(ROWS).tolist()} | columns
    return pa.record_batch({name: column for name, column in plain.items() if column is not None})


def with_cell(column: str, value: Any) -> pa.RecordBatch:
    empty = dict.fromkeys(("place", "created"), [None] * ROWS)
    cells = batch(id=[f"{row:032x}" for row in range(ROWS)], label=[""] * ROWS, **empty).to_pydict()
    cells[column][3] = value
    return pa.record_batch({name: pa.array(values) for name, values in cells.items()})


@given(st.lists(st.sampled_from(HOSTILE), min_size=1, max_size=6))
def test_rows_are_those_that_an_enrolment_would_store(subjects: list[str]) -> None:
    raw = vectors(len(subjects)) * np.float32(3.7)
    checked = checked_batch(pa.record_batch({"subject": subjects, "vector": raw.tolist()}), SIZE)
    faces = [
        NewFace(subject, hashlib.sha256(vector).hexdigest(), "", vector)
        for subject, vector in zip(subjects, raw, strict=True)
    ]
    for row, face in zip(checked.to_pylist(), faces, strict=True):
        assert (row["id"], row["source"], row["label"]) == (face.id, face.source_number, "")
        assert (row["subject"], row["subject_key"]) == (face.subject, subject_key(face.subject))
        assert np.array_equal(np.array(row["vector"], np.float32), normalised(face.embedding, SIZE))


@pytest.mark.parametrize(
    ("column", "value", "code"),
    [
        *(("subject", subject, "INVALID_SUBJECT") for subject in ("", "\u200b ", "x" * (MAX_SUBJECT + 1))),
        *(("vector", [number] * SIZE, "INVALID_EMBEDDING") for number in (0.0, np.nan, np.inf, None)),
        *(("vector", vector, "INVALID_EMBEDDING") for vector in ([1.0] * (SIZE - 1), [1e39] * SIZE, [], None)),
        *(("id", face_id, "INVALID_REQUEST") for face_id in ("0" * 31, "g" * 32, "0" * 31 + "\n", None)),
        ("subject", None, "INVALID_REQUEST"),
        ("label", "x" * 513, "INVALID_REQUEST"),
        *(("created", np.datetime64(day, "us"), "INVALID_REQUEST") for day in ("0000-12-31", "10000-01-01")),
        *(("place", PLACE.replace(*part), "INVALID_REQUEST") for part in (("0.5", "NaN"), ("0.5", "00"), ("a", "z"))),
    ],
)
def test_an_error_names_the_row(column: str, value: Any, code: str) -> None:
    with pytest.raises(RequestError, match=r"Row 1003: .*\S\Z") as caught:
        checked_batch(with_cell(column, value), SIZE, first=1000)
    assert (caught.value.code, caught.value.details) == (code, {"row": 1003})


@pytest.mark.parametrize(
    "columns",
    [
        {"subject": None},
        {"vector": None},
        {"name": ["x"] * ROWS},
        {"subject": list(range(ROWS))},
        {"vector": ["x"] * ROWS},
        {"vector": [[1] * SIZE] * ROWS},
        {"created": ["today"] * ROWS},
        {"source": [1.5] * ROWS},
    ],
)
def test_other_columns_are_refused(columns: dict[str, Any]) -> None:
    with pytest.raises(RequestError, match="column") as caught:
        checked_batch(batch(**columns), SIZE)
    assert caught.value.code == "INVALID_REQUEST"


def test_the_usual_types_of_text_times_and_numbers_are_accepted() -> None:
    columns = {
        "subject": pa.array([f"subject-{row}" for row in range(ROWS)], pa.large_string()),
        "vector": pa.array(vectors(ROWS).astype(np.float64).tolist(), pa.large_list(pa.float64())),
        "created": pa.array(range(1001, 1001 + ROWS), pa.timestamp("ns")),
        "source": pa.array([None] * ROWS),
        "label": pa.array([None] * ROWS, pa.large_string()),
    }
    given, plain = checked_batch(batch(**columns), SIZE), checked_batch(batch(), SIZE)
    for name in ("id", "subject", "label", "vector"):
        assert given[name] == plain[name]
    assert given["created"].cast(pa.int64()).to_pylist() == [1] * ROWS


@given(st.tuples(*[st.floats(-9, 9)] * 4), st.floats(0, 1))
def test_a_place_stays_as_it_is(box: tuple[float, float, float, float], score: float) -> None:
    places = [FacePlace("a" * 32, box, score).text, None] + [PLACE] * (ROWS - 2)
    assert checked_batch(batch(place=places), SIZE)["place"].to_pylist() == places


def test_the_last_of_several_rows_with_one_id_counts() -> None:
    checked = checked_batch(batch(id=["0" * 32, "1" * 32, "0" * 32, "1" * 32, "2" * 32]), SIZE)
    assert checked["subject"].to_pylist() == ["subject-2", "subject-3", "subject-4"]


def test_a_commit_fits_into_a_message() -> None:
    assert [rows_per_commit(size) for size in (1, 192, 512, 4096, 2**16, 2**24)] == [8192, 8192, 8192, 2048, 128, 1]
