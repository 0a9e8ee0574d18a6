"""Checking batches of faces from a client or a file, one column at a time."""

import hashlib
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from gallery.metadata_format import parsed
from gallery.records import face_id, source_number, subject_key
from gallery.subject_ids import refuse_blank
from gallery.unit_vectors import normalised_rows
from project.request_error import RequestError

COLUMN_TYPES = {
    "subject": pa.string(),
    "vector": pa.list_(pa.float32()),
    "id": pa.string(),
    "label": pa.string(),
    "created": pa.timestamp("us", tz="UTC"),
    "source": pa.int64(),
    "place": pa.string(),
    "metadata": pa.string(),
}
"""Types of the columns of a batch. All but the first two are optional."""
MAX_LABEL = 512
"""Maximum length of a label, in characters."""
_MAX_ROWS = 8192
_MAX_NUMBERS = 2**23
_NUMBER = r", -?(0|[1-9][0-9]{0,5})(\.[0-9]{1,6})?(e-[0-9]{2})?"
_PLACE = rf'^\["[0-9a-f]{{32}}"({_NUMBER}){{5}}\]$'
"""Matches `gallery.records.FacePlace.text`."""


def rows_per_commit(size: int) -> int:
    """Return how many faces with embeddings of length `size` are sent to the writer and committed at a time.

    Their embeddings take at most 32 MiB.
    """
    return max(1, min(_MAX_ROWS, _MAX_NUMBERS // size))


def checked_batch(batch: pa.RecordBatch, size: int, first: int = 0) -> pa.RecordBatch:
    """Check faces to import, and convert them to the columns that `gallery.writing.writer.Writer.insert` takes.

    If the batch has no ids, each is derived from the subject and the numbers of the embedding, as by `NewFace`. Faces
    without a time get the current time. If several rows have the same id, only the last is kept.

    Args:
        batch: ``subject`` (text) and ``vector`` (lists of `size` numbers), and optionally ``id`` (32 hex digits),
            ``label`` (text), ``created`` (a time), ``source`` (int64), ``place`` (`FacePlace.text`), and ``metadata``
            of the subjects (JSON).
        size: length of an embedding.
        first: number of the first row, for messages.

    Returns:
        Rows with ``id``, ``subject``, ``subject_key``, ``label``, ``created``, ``vector`` (float32, length 1),
        ``source`` and ``place``, and ``metadata`` if the batch has it.

    Raises:
        RequestError: ``INVALID_REQUEST``, ``INVALID_SUBJECT``, ``INVALID_METADATA`` or ``INVALID_EMBEDDING``; the
            message names the row.
    """
    check_columns(batch.schema, size)
    try:
        batch.validate(full=True)
    except pa.ArrowInvalid as error:
        raise RequestError("INVALID_REQUEST", "The batch is damaged") from error
    subjects = _column(batch, "subject")
    _check(subjects.is_valid(), "The subject is missing", first)
    keys = _subject_keys(subjects, first)
    labels = pc.fill_null(_column(batch, "label"), "")
    _check(pc.less_equal(pc.utf8_length(labels), MAX_LABEL), f"The label has more than {MAX_LABEL} characters", first)
    places = _column(batch, "place")
    valid_places = pc.fill_null(pc.match_substring_regex(places, _PLACE), True)
    _check(valid_places, "The place is not in the format of an export", first)
    created = pc.fill_null(_column(batch, "created"), pa.scalar(datetime.now(UTC), COLUMN_TYPES["created"]))
    _check(_is_date(created), "The time is not in the years 1 to 9999", first)
    raw = _vectors(batch["vector"], size, first)
    unit, usable = normalised_rows(raw)
    _check(pa.array(usable), "The embedding is zero or not finite", first, "INVALID_EMBEDDING")
    ids, sources = _column(batch, "id"), _column(batch, "source")
    if "id" in batch.schema.names:
        valid = pc.fill_null(pc.match_substring_regex(ids, "^[0-9a-f]{32}$"), False)
        _check(valid, "The id is not 32 hex digits", first)
    else:
        of_vectors = [hashlib.sha256(vector).hexdigest() for vector in raw]
        ids = pa.array(map(face_id, keys.to_pylist(), of_vectors), pa.string())
        sources = pa.array(map(source_number, of_vectors), pa.int64())
    vectors = pa.FixedSizeListArray.from_arrays(pa.array(unit.reshape(-1)), size)
    columns = {"id": ids, "subject": subjects, "subject_key": keys, "label": labels, "created": created}
    columns |= {"vector": vectors, "source": sources, "place": places}
    if "metadata" in batch.schema.names:
        columns["metadata"] = _metadata(_column(batch, "metadata"), first)
    rows = pa.record_batch(columns)
    last = {each: row for row, each in enumerate(ids.to_pylist())}
    # `take` also copies the rows, so that only these are sent to the writer.
    return rows.take(pa.array(last.values(), pa.int64()))


def check_columns(schema: pa.Schema, size: int) -> None:
    """Check the names and types of the columns of a batch with embeddings of length `size`.

    Raises:
        RequestError: ``INVALID_REQUEST``.
    """
    try:
        names = schema.names
    except UnicodeDecodeError:
        raise RequestError("INVALID_REQUEST", "The name of a column is not valid UTF-8") from None
    for name in ("subject", "vector"):
        if name not in names:
            raise RequestError("INVALID_REQUEST", f"The column {name} is missing")
    for name in names:
        if name not in COLUMN_TYPES or names.count(name) > 1:
            known = ", ".join(COLUMN_TYPES)
            raise RequestError("INVALID_REQUEST", f"Unknown or repeated column {name[:64]}; available: {known}")
    for name, given in zip(names, schema.types, strict=True):
        kind = pa.list_(pa.float32(), size) if name == "vector" else COLUMN_TYPES[name]
        if not (_is_vector(given) if name == "vector" else _family(given) in (_family(kind), "null")):
            message = f"The column {name} must be {kind}, not {str(given)[:64]}"
            raise RequestError("INVALID_REQUEST", message)


def _row_error(code: str, message: str, row: int) -> RequestError:
    """Return an error about one row, counted from 0."""
    return RequestError(code, f"Row {row}: {message}", {"row": row})


def _check(good: Any, problem: str, first: int, code: str = "INVALID_REQUEST") -> None:
    """Raise an error about the first row that is not `good`, if there is one."""
    if (row := pc.index(good, False).as_py()) >= 0:
        raise _row_error(code, problem, first + row)


def _column(batch: pa.RecordBatch, name: str) -> Any:
    """Return a column with its type in `COLUMN_TYPES`; nulls if it is missing."""
    kind = COLUMN_TYPES[name]
    if name not in batch.schema.names:
        return pa.nulls(len(batch), kind)
    try:
        # Times may be finer than microseconds.
        return batch[name].cast(kind, safe=not pa.types.is_timestamp(kind))
    except pa.ArrowException as error:
        raise RequestError("INVALID_REQUEST", f"The column {name} cannot be converted to {kind}") from error


def _is_date(times: Any) -> Any:
    """Whether each time is within the range of Python's dates, which is smaller than Arrow's."""
    least, most = (pa.scalar(each.replace(tzinfo=UTC), times.type) for each in (datetime.min, datetime.max))
    return pc.and_(pc.greater_equal(times, least), pc.less_equal(times, most))


def _family(kind: pa.DataType) -> str:
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return "text"
    return "time" if pa.types.is_timestamp(kind) else "number" if pa.types.is_integer(kind) else str(kind)


def _is_vector(kind: pa.DataType) -> bool:
    is_list = pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind)
    return bool(is_list and pa.types.is_floating(kind.value_type))


def _subject_keys(subjects: Any, first: int) -> Any:
    encoded, keys = subjects.dictionary_encode(), list[str]()
    for number, subject in enumerate(encoded.dictionary.to_pylist()):
        try:
            keys.append(subject_key(subject))
            refuse_blank(subject)
        except RequestError as refused:
            row = pc.index(encoded.indices, pa.scalar(number, encoded.indices.type)).as_py()
            raise _row_error(refused.code, refused.message, first + row) from None
    return pa.array(keys, pa.string()).take(encoded.indices)


def _metadata(texts: Any, first: int) -> Any:
    for row, text in enumerate(texts.to_pylist()):
        try:
            if text is not None:
                parsed(text)
        except RequestError as refused:
            raise _row_error(refused.code, refused.message, first + row) from None
    return texts


def _vectors(column: Any, size: int, first: int) -> NDArray[np.float32]:
    """Return the embeddings as float32 (rows, size)."""
    lengths = pc.fill_null(pc.list_value_length(column), 0)
    if (row := pc.index(pc.equal(lengths, size), False).as_py()) >= 0:
        problem = f"The embedding has {lengths[row]} numbers, but the collection requires {size}"
        raise _row_error("INVALID_EMBEDDING", problem, first + row)
    numbers = pc.fill_null(column.flatten(), np.nan)
    with np.errstate(over="ignore"):
        vectors: NDArray[np.float32] = numbers.to_numpy(zero_copy_only=False).astype(np.float32, copy=False)
    return vectors.reshape(-1, size)
