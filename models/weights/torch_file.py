"""Read the state dict in a PyTorch file, without PyTorch.

A file is a zip archive or, before PyTorch 1.6, a stream. Both contain a pickle of tensors, which refer to
storages by name, and the bytes of each storage. Formats: ``torch/serialization.py``.
"""

import io
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from models.errors import ModelError
from models.weights.pickles import Names, PickleError, read_pickle

Weights = Mapping[str, NDArray[Any]]
"""Arrays by the names of a state dict: float64, float32, float16, int64 or int32."""

MAGIC = 0x1950A86A20F9469CFC6C
"""The first value in a stream."""

TYPES = {"DoubleStorage": "<f8", "FloatStorage": "<f4", "HalfStorage": "<f2", "LongStorage": "<i8", "IntStorage": "<i4"}
"""The storage classes of ``torch``, and the dtype of their values."""


def read_state(path: Path) -> Weights:
    """Read the tensors of the state dict at `path`, in the file's order.

    Tensors that share values are not supported.

    Raises:
        ModelError: the file is damaged, or contains anything but a state dict.
    """
    try:
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                return _from_zip(archive)
        # In memory, because reading from a file allocates as many bytes as the pickle asks for.
        return _from_stream(io.BytesIO(path.read_bytes()))
    except (
        *(OSError, EOFError, RuntimeError, zipfile.BadZipFile),
        *(KeyError, TypeError, ValueError, OverflowError, PickleError),
    ) as error:
        raise ModelError(f"{path} is not a PyTorch state dict: {error}") from error


class _Storage:
    """A storage. The pickle names it before its bytes are known."""

    def __init__(self, kind: str, count: int) -> None:
        self.type, self.count = np.dtype(TYPES[kind]), count
        self.values: NDArray[Any] = np.empty(0, self.type)

    def fill(self, content: bytes) -> None:
        self.values = np.frombuffer(content, self.type)
        if len(self.values) != self.count:
            raise ValueError(f"a storage has {len(self.values)} values instead of {self.count}")


class _Tensor:
    """A view of a storage. Replaces `torch._utils._rebuild_tensor_v2`, and takes its arguments."""

    def __init__(self, storage: object, offset: int, shape: tuple[int, ...], strides: tuple[int, ...], *_: Any) -> None:
        if not isinstance(storage, _Storage):
            raise PickleError("it has a tensor without a storage")
        self.storage, self.offset, self.shape, self.strides = storage, offset, shape, strides

    def view(self) -> NDArray[Any]:
        values = self.storage.values
        try:
            offset, strides = self.offset * values.itemsize, [stride * values.itemsize for stride in self.strides]
            return np.ndarray(self.shape, values.dtype, values.data, offset, strides)
        except (TypeError, ValueError, OverflowError) as error:
            raise ValueError("a tensor reaches beyond its storage") from error


class _StateDict(dict[str, _Tensor]):
    """Replaces the ordered dictionary. The pickle sets its entries later; its state, `_metadata`, is ignored."""

    def __init__(self) -> None:
        super().__init__()

    def __setstate__(self, state: Any) -> None:
        pass


class _Storages(dict[str, _Storage]):
    """The storages of a file, by their keys."""

    def named(self, identity: tuple[Any, ...]) -> _Storage:
        kind, storage_type, key, _device, count, *view = identity
        if kind != "storage" or any(view) or not isinstance(key, str) or not isinstance(count, int):
            raise PickleError("it refers to something other than a storage")
        return self.setdefault(key, _Storage(storage_type(), count))


NAMES: Names = {
    ("collections", "OrderedDict"): _StateDict,
    ("torch._utils", "_rebuild_tensor_v2"): _Tensor,
    **{("torch", kind): lambda kind=kind: kind for kind in TYPES},
}


def _from_zip(archive: zipfile.ZipFile) -> Weights:
    [pickled] = [name for name in archive.namelist() if name.endswith("data.pkl")]
    root = pickled.removesuffix("data.pkl")
    storages = _Storages()
    state = _read_tensors(io.BytesIO(_stored(archive, pickled)), storages)
    for key, storage in storages.items():
        storage.fill(_stored(archive, f"{root}data/{key}"))
    return _arrays(state, storages)


def _stored(archive: zipfile.ZipFile, name: str) -> bytes:
    # PyTorch compresses nothing, and a compressed file could be of any size.
    if archive.getinfo(name).compress_type != zipfile.ZIP_STORED:
        raise ValueError(f"{name} in it is compressed")
    return archive.read(name)


def _from_stream(file: IO[bytes]) -> Weights:
    if read_pickle(file, {}) != MAGIC:
        raise ValueError("it does not begin like one")
    _version, _sizes = read_pickle(file, {}), read_pickle(file, {})
    storages = _Storages()
    state = _read_tensors(file, storages)
    for key in read_pickle(file, {}):
        if not isinstance(key, str):
            raise PickleError("a key of a storage is not a string")
        storage = storages[key]
        file.read(8)  # the count again
        storage.fill(file.read(storage.count * storage.type.itemsize))
    return _arrays(state, storages)


def _read_tensors(file: IO[bytes], storages: _Storages) -> _StateDict:
    state = read_pickle(file, NAMES, storages.named)
    if not isinstance(state, _StateDict) or not all(isinstance(tensor, _Tensor) for tensor in state.values()):
        raise PickleError("it contains something other than named tensors")
    return state


def _arrays(state: _StateDict, storages: _Storages) -> Weights:
    views = {name: tensor.view() for name, tensor in state.items()}
    # A small file could otherwise ask for any number of copies of a storage.
    if sum(view.size for view in views.values()) > sum(len(storage.values) for storage in storages.values()):
        raise ValueError("its tensors have more values than its storages")
    return {name: view.copy() for name, view in views.items()}
