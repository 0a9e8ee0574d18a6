"""Read arrays from joblib's compressed pickles without running code that the file names.

joblib pickles a list of wrappers and writes the bytes of each array after its wrapper, in the middle of the pickle
(`NumpyArrayWrapper` in joblib/numpy_pickle.py). A pickle can call anything that it names. The unpickler here resolves
the three names that arrays need to classes of this module, and refuses all others.
"""

import io
import pickle
from math import prod
from pathlib import Path
from typing import Any

import lz4.frame
import numpy as np
from numpy.typing import NDArray

from models.errors import ModelError


def read_arrays(path: Path) -> list[NDArray[np.float32]]:
    """Read the float32 arrays in the lz4-compressed joblib file at `path`, in the file's order.

    Raises:
        ModelError: the file is damaged, or holds anything but a list of float32 arrays.
    """
    try:
        stream = io.BytesIO(lz4.frame.decompress(path.read_bytes()))
        return [wrapper.array for wrapper in _Unpickler(stream).load()]
    except Exception as error:
        # An unpickler can raise almost any error on a damaged pickle.
        raise ModelError(f"{path} is not a joblib file of float32 arrays: {error!r}") from error


class _Unpickler(pickle.Unpickler):
    def __init__(self, stream: io.BytesIO) -> None:
        # An unpickler cannot peek into a BytesIO, so it reads no further than the wrapper, and the array comes next in
        # the stream.
        super().__init__(stream)
        self._names: dict[tuple[str, str], type | None] = {
            ("joblib.numpy_pickle", "NumpyArrayWrapper"): type("_BoundWrapper", (_Wrapper,), {"stream": stream}),
            ("numpy", "dtype"): _Float32,
            # The pickle names the array's class but does not call it.
            ("numpy", "ndarray"): None,
        }

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in self._names:
            raise pickle.UnpicklingError(f"it names {module}.{name}")
        return self._names[module, name]


class _Float32:
    """Replaces numpy.dtype. Accepts little-endian float32 only."""

    def __init__(self, code: str, *_: bool) -> None:
        if code != "f4":
            raise pickle.UnpicklingError(f"it has an array of {code}")

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        if state[1] != "<":
            raise pickle.UnpicklingError(f"its arrays have the byte order {state[1]}")


class _Wrapper:
    """Replaces joblib's NumpyArrayWrapper. Reads its array from the stream when its state is set."""

    stream: io.BytesIO
    array: NDArray[np.float32]

    def __setstate__(self, state: dict[str, Any]) -> None:
        if not isinstance(state["dtype"], _Float32):
            raise pickle.UnpicklingError("it has an array without a type")
        if state.get("numpy_array_alignment_bytes") is not None:
            # One byte states how many bytes of padding follow.
            self.stream.seek(self.stream.read(1)[0], io.SEEK_CUR)
        content = self.stream.read(4 * prod(state["shape"]))
        self.array = np.frombuffer(content, "<f4").reshape(state["shape"], order=state["order"])
