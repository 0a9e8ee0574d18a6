"""Read the state dict in a PyTorch file, without PyTorch: the zip archive of today, and the stream before version 1.6.

Both hold a pickle of tensors, which name their storages, and the bytes of each storage. Formats:
``torch/serialization.py``.
"""

import io
import zipfile
from collections.abc import Mapping
from math import prod
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from models.errors import ModelError
from models.weights.pickles import Names, PickleError, read_pickle

Weights = Mapping[str, NDArray[Any]]
"""Arrays by the names of a state dict."""

MAGIC = 0x1950A86A20F9469CFC6C
"""The first value in a stream."""

TYPES = {"DoubleStorage": "<f8", "FloatStorage": "<f4", "HalfStorage": "<f2", "LongStorage": "<i8", "IntStorage": "<i4"}


def read_state(path: Path) -> Weights:
    """Read the tensors of the state dict at `path`, in the file's order.

    Raises:
        ModelError: the file is damaged, or holds anything but a state dict.
    """
    try:
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                return _from_zip(archive)
        with path.open("rb") as file:
            return _from_stream(file)
    except (OSError, zipfile.BadZipFile, KeyError, TypeError, ValueError, PickleError) as error:
        raise ModelError(f"{path} is not a PyTorch state dict: {error}") from error


class _Storage:
    """A storage that is named before its bytes are known."""

    def __init__(self, kind: str, count: int) -> None:
        self.type, self.count = np.dtype(TYPES[kind]), count
        self.values: NDArray[Any] = np.empty(0, self.type)

    def fill(self, content: bytes) -> None:
        self.values = np.frombuffer(content, self.type)
        if len(self.values) != self.count:
            raise ValueError(f"a storage has {len(self.values)} values instead of {self.count}")


class _Tensor:
    """A view of a storage, as `torch._utils._rebuild_tensor_v2` takes it."""

    def __init__(
        self, storage: _Storage, offset: int, shape: tuple[int, ...], strides: tuple[int, ...], *_: Any
    ) -> None:
        self.storage, self.offset, self.shape, self.strides = storage, offset, shape, strides

    def array(self) -> NDArray[Any]:
        values = self.storage.values
        last = self.offset + sum((side - 1) * stride for side, stride in zip(self.shape, self.strides, strict=True))
        # The product bounds the memory of a view that repeats values by a stride of 0.
        if min([self.offset, *self.shape, *self.strides]) < 0 or max(last + 1, prod(self.shape)) > len(values):
            raise ValueError("a tensor reaches beyond its storage")
        strides = [stride * values.itemsize for stride in self.strides]
        return np.lib.stride_tricks.as_strided(values[self.offset :], self.shape, strides).copy()


class _StateDict(dict[str, _Tensor]):
    """Replaces the ordered dictionary, whose `_metadata` is left out."""

    def __setstate__(self, state: Any) -> None:
        pass


class _Storages:
    """The storages of a file, by their keys."""

    def __init__(self) -> None:
        self.by_key: dict[str, _Storage] = {}

    def named(self, identity: tuple[Any, ...]) -> _Storage:
        kind, storage_type, key, _, count, *view = identity
        if kind != "storage" or any(view):
            raise PickleError("it refers to something other than a storage")
        return self.by_key.setdefault(key, _Storage(storage_type(), count))


NAMES: Names = {
    ("collections", "OrderedDict"): _StateDict,
    ("torch._utils", "_rebuild_tensor_v2"): _Tensor,
    **{("torch", kind): lambda kind=kind: kind for kind in TYPES},
}


def _from_zip(archive: zipfile.ZipFile) -> Weights:
    [pickled] = [name for name in archive.namelist() if name.endswith("data.pkl")]
    root = pickled.removesuffix("data.pkl")
    storages = _Storages()
    state = _read_tensors(io.BytesIO(archive.read(pickled)), storages)
    for key, storage in storages.by_key.items():
        storage.fill(archive.read(f"{root}data/{key}"))
    return {name: tensor.array() for name, tensor in state.items()}


def _from_stream(file: IO[bytes]) -> Weights:
    if read_pickle(file, {}) != MAGIC:
        raise ValueError("its first value is another")
    _version, _sizes = read_pickle(file, {}), read_pickle(file, {})
    storages = _Storages()
    state = _read_tensors(file, storages)
    for key in read_pickle(file, {}):
        storage = storages.by_key[key]
        file.read(8)  # the count again
        storage.fill(file.read(storage.count * storage.type.itemsize))
    return {name: tensor.array() for name, tensor in state.items()}


def _read_tensors(file: IO[bytes], storages: _Storages) -> _StateDict:
    state = read_pickle(file, NAMES, storages.named)
    if not isinstance(state, _StateDict) or not all(isinstance(tensor, _Tensor) for tensor in state.values()):
        raise PickleError("it holds something other than named tensors")
    return state
