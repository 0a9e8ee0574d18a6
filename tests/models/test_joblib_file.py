"""joblib's arrays are read, and nothing else is."""

import itertools
from pathlib import Path
from typing import Any

import lz4.frame
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from models.catalogue import card
from models.errors import ModelError
from models.store import Store
from models.weights.joblib_file import read_arrays
from models.weights.torch_file import read_state
from tests.conftest import pulled

START, END = b"\x80\x02](", b"e."
"""Opcodes around a pickled list."""
MATRIX = np.arange(6, dtype="<f4").reshape(2, 3)


def wrapped(array: NDArray[Any], order: str = "C", aligned: bool = True) -> bytes:
    """An array as joblib writes it into a pickle, in text opcodes."""
    shape = "".join(f"I{side}\n" for side in array.shape)
    byte_order, code = array.dtype.str[0], array.dtype.str[1:]
    wrapper = (
        f"cjoblib.numpy_pickle\nNumpyArrayWrapper\n)\x81}}(S'subclass'\ncnumpy\nndarray\nS'shape'\n({shape}t"
        f"S'order'\nS'{order}'\nS'dtype'\ncnumpy\ndtype\n(S'{code}'\nI0\nI1\ntR(I3\nS'{byte_order}'\nNtb"
        + ("S'numpy_array_alignment_bytes'\nI16\n" if aligned else "")
        + "ub"
    )
    padding = b"\x03\xff\xff\xff" if aligned else b""
    return wrapper.encode("latin-1") + padding + array.tobytes(order)  # type: ignore[arg-type]


def written(folder: Path, content: bytes) -> Path:
    path = folder / "arrays.lz4"
    path.write_bytes(content)
    return path


def refused(path: Path, why: str = "") -> None:
    with pytest.raises(ModelError, match=f"not a joblib file.*{why}"):
        read_arrays(path)


@given(
    shapes=st.lists(st.lists(st.integers(1, 4), min_size=1, max_size=4), max_size=3),
    order=st.sampled_from("CF"),
    aligned=st.booleans(),
)
def test_reads_the_arrays_between_the_opcodes(
    tmp_path_factory: pytest.TempPathFactory, shapes: list[list[int]], order: str, aligned: bool
) -> None:
    arrays = [np.random.default_rng(0).normal(size=shape).astype("<f4") for shape in shapes]
    pickled = START + b"".join(wrapped(array, order, aligned) for array in arrays) + END
    found = read_arrays(written(tmp_path_factory.getbasetemp(), lz4.frame.compress(pickled)))
    assert [array.dtype for array in found] == [np.float32] * len(arrays)
    for one, other in zip(found, arrays, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.long
def test_reads_the_real_files(store: Store) -> None:
    """They hold the kernels of facenet-pytorch's files."""
    entry, other = pulled("mtcnn-tensorflow"), card("mtcnn")
    for file, same, count in zip(entry.files, other.files, (13, 16, 21), strict=True):
        found = read_arrays(store.folder(entry) / file.name)
        assert len(found) == count
        weights = read_state(store.folder(other) / same.name)
        for number in range(3):
            np.testing.assert_array_equal(found[3 * number].transpose(3, 2, 0, 1), weights[f"conv{number + 1}.weight"])


@pytest.mark.parametrize(
    "body",
    [
        b"cbuiltins\ngetattr\n",
        b"cnumpy\nload\n",
        b"cnumpy\ndtype.__class__\n",
        b"cnumpy\nndarray\n((I9\ntR",
        b"cjoblib.numpy_pickle\nNumpyArrayWrapper\n)\x81",
        b"cnumpy\ndtype\n(S'f4'\ntR",
        b"I1\n",
        wrapped(MATRIX).replace(b"I2\nI3\n", b"I10000000000\nS'a'\n"),
        *(wrapped(MATRIX.astype(kind)) for kind in ("f8", "i4", "O", ">f4")),
    ],
    # An array of objects has addresses in its bytes, which differ between the processes of a run.
    ids=itertools.count(),
)
def test_refuses_anything_but_float32_arrays(body: bytes, tmp_path: Path) -> None:
    refused(written(tmp_path, lz4.frame.compress(START + wrapped(MATRIX) + body + END)))


def test_a_damaged_or_missing_file_is_an_error_of_the_model(tmp_path: Path) -> None:
    whole = START + wrapped(MATRIX) + END
    refused(tmp_path / "nowhere.lz4")
    refused(written(tmp_path, whole))
    refused(written(tmp_path, lz4.frame.compress(whole)[:-9]))
    for damaged in (whole[: -len(END)], whole[: -len(END) - 5], whole.replace(b"I3\n", b"I-3\n")):
        refused(written(tmp_path, lz4.frame.compress(damaged)))
