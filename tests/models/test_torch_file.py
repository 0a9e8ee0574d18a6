"""State dicts of PyTorch are read without PyTorch, and no code of hostile files is run."""

import io
import itertools
import os
import pickle
import struct
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from numpy.typing import NDArray

from models.errors import ModelError
from models.weights.torch_file import MAGIC, read_state

KINDS = {"<f4": "FloatStorage", "<f8": "DoubleStorage", "<f2": "HalfStorage", "<i8": "LongStorage", "<i4": "IntStorage"}
START, END = b"ccollections\nOrderedDict\n)R", b"."
"""Opcodes around the entries of a state dict."""


def numbers(values: tuple[int, ...]) -> str:
    return "(" + "".join(f"I{value}\n" for value in values) + "t"


def tensor(
    name: str, array: NDArray[Any], offset: int = 0, shape: tuple[int, ...] | None = None, strides: Any = None
) -> bytes:
    """An entry of a state dict as PyTorch pickles it, in text opcodes. Its storage has the tensor's name."""
    shape = array.shape if shape is None else shape
    strides = tuple(stride // array.itemsize for stride in array.strides) if strides is None else strides
    kind = KINDS[array.dtype.str]
    storage = f"(S'storage'\nctorch\n{kind}\nS'{name}'\nS'cuda:0'\nI{array.size}\ntQ"
    rebuilt = f"ctorch._utils\n_rebuild_tensor_v2\n({storage}I{offset}\n{numbers(shape)}{numbers(strides)}I00\n)tR"
    return f"S'{name}'\n{rebuilt}s".encode()


def zipped(entries: bytes, storages: Mapping[str, NDArray[Any]], compression: int = zipfile.ZIP_STORED) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", compression) as archive:
        archive.writestr("weights/data.pkl", START + entries + END)
        for name, array in storages.items():
            archive.writestr(f"weights/data/{name}", array.tobytes())
    return file.getvalue()


def streamed(entries: bytes, storages: Mapping[str, NDArray[Any]]) -> bytes:
    head = b"".join(pickle.dumps(value, protocol=2) for value in (MAGIC, 1001, {"little_endian": True}))
    keys = pickle.dumps(list(storages), protocol=2)
    content = b"".join(struct.pack("<q", array.size) + array.tobytes() for array in storages.values())
    return head + START + entries + END + keys + content


FORMATS = pytest.mark.parametrize("packed", [zipped, streamed])
MATRIX = np.arange(6, dtype="<f4").reshape(2, 3)


def written(folder: Path, content: bytes) -> Path:
    path = folder / "weights.pt"
    path.write_bytes(content)
    return path


@FORMATS
@given(data=st.data())
def test_reads_every_tensor_in_order(
    tmp_path_factory: pytest.TempPathFactory, packed: Any, data: st.DataObject
) -> None:
    kinds = st.sampled_from(sorted(KINDS)).map(np.dtype)
    any_array = kinds.flatmap(lambda kind: arrays(kind, array_shapes(min_dims=0, max_side=4)))
    state = {f"layer.{number}": array for number, array in enumerate(data.draw(st.lists(any_array, max_size=4)))}
    entries = b"".join(tensor(name, array) for name, array in state.items())
    found = read_state(written(tmp_path_factory.getbasetemp(), packed(entries, state)))
    assert list(found) == list(state)
    for name, array in state.items():
        assert found[name].dtype == array.dtype
        np.testing.assert_array_equal(found[name], array)


@FORMATS
def test_a_tensor_is_a_view_of_its_storage(tmp_path: Path, packed: Any) -> None:
    entries = tensor("m", MATRIX, offset=1, shape=(2, 2), strides=(1, 2))
    found = read_state(written(tmp_path, packed(entries, {"m": MATRIX})))
    np.testing.assert_array_equal(found["m"], [[1, 3], [2, 4]])


class Hostile:
    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> Any:
        return os.system, (f"touch {self.marker}",)


@FORMATS
def test_refuses_a_pickle_that_runs_a_command(tmp_path: Path, packed: Any) -> None:
    hostile = pickle.dumps(Hostile(tmp_path / "ran"), protocol=2).removeprefix(b"\x80\x02").removesuffix(b".")
    with pytest.raises(ModelError, match=r"it names posix\.system"):
        read_state(written(tmp_path, packed(b"S'a'\n" + hostile + b"s", {})))
    assert not (tmp_path / "ran").exists()


BEYOND = "a tensor reaches beyond its storage"
DOUBLED = b")" + b"p0\ng0\n\x86" * 99
"""A tuple of two references to a tuple of two references, and so on: to hash or print it would take forever."""
STORAGE = b"(S'storage'\nctorch\nFloatStorage\nS'm'\nNI6\ntQ"


@FORMATS
@pytest.mark.parametrize(
    ("entries", "problem"),
    [
        (tensor("m", MATRIX, shape=(2, 4), strides=(3, 1)), BEYOND),
        (tensor("m", MATRIX, offset=1), BEYOND),
        (tensor("m", MATRIX, offset=-1), BEYOND),
        (tensor("m", MATRIX, shape=(2, 3), strides=(3, -1)), BEYOND),
        (tensor("m", MATRIX, shape=(10**9,), strides=(0,)), "its tensors have more values than its storages"),
        (tensor("m", MATRIX).replace(b"I6\n", b"I7\n"), "a storage has 6 values instead of 7"),
        (tensor("m", MATRIX).replace(b"ctorch\nFloat", b"ctorch\nBFloat16"), "it names torch.BFloat16Storage"),
        (tensor("m", MATRIX).replace(b"storage'", b"module'"), "something other than a storage"),
        (b"S'm'\nI1\ns", "something other than named tensors"),
        (b"S'm'\ncollections\n", "it is damaged"),
        (DOUBLED + b"I1\ns", "a key in it is not a string"),
        (DOUBLED + b"S'm'\n\x93", "a name in it is not a string"),
        (STORAGE.replace(b"S'm'\n", DOUBLED), "something other than a storage"),
        (STORAGE.replace(b"I6\n", DOUBLED), "something other than a storage"),
        (b"ctorch._utils\n_rebuild_tensor_v2\n(" + DOUBLED + b"I0\n))tR", "a tensor without a storage"),
        (b"ccollections\nOrderedDict\n(}tR", "it is damaged: TypeError"),
        (b"}}b", "it is damaged: AttributeError"),
        (b"}(I1\ntR", "it calls something other than a name"),
        (tensor("m", MATRIX).replace(b"I3\nI1\nt", b"I3\nS'a'\nt"), BEYOND),
        (tensor("m", MATRIX, shape=(2**70,), strides=(1,)), BEYOND),
    ],
    ids=itertools.count(),
)
def test_refuses_anything_but_tensors_within_their_storages(
    tmp_path: Path, packed: Any, entries: bytes, problem: str
) -> None:
    with pytest.raises(ModelError, match=f"not a PyTorch state dict: .*{problem}"):
        read_state(written(tmp_path, packed(entries, {"m": MATRIX})))


def test_refuses_a_compressed_archive(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"data\.pkl in it is compressed"):
        read_state(written(tmp_path, zipped(b"", {}, zipfile.ZIP_DEFLATED)))


@pytest.mark.parametrize(
    "content",
    [b"", b"no weights", pickle.dumps(5), zipped(b"", {})[:-9]],
    # An archive has the time in its bytes, which differs between the processes of a run.
    ids=["empty", "text", "number", "cut archive"],
)
def test_a_damaged_or_missing_file_is_an_error_of_the_model(tmp_path: Path, content: bytes) -> None:
    for path in (written(tmp_path, content), tmp_path / "nowhere.pt"):
        with pytest.raises(ModelError, match="not a PyTorch state dict"):
            read_state(path)
