"""Arrays out of joblib's compressed pickles, with no code that such a file may name.

joblib pickles a list of wrappers and writes the bytes of each array behind its wrapper, in the midst of the pickle
(`NumpyArrayWrapper` in its numpy_pickle.py). A pickle can call whatever it names, so the three names that arrays need
are each answered with a stand-in from here, and every other name is refused.
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
    """The float32 arrays in the lz4-compressed joblib file at `path`, in the file's order.

    Raises:
        ModelError: the file is damaged, or holds anything but a list of such arrays.
    """
    try:
        stream = io.BytesIO(lz4.frame.decompress(path.read_bytes()))
        return [wrapper.array for wrapper in _Unpickler(stream).load()]
    except Exception as error:
        # A damaged pickle makes an unpickler raise almost anything.
        raise ModelError(f"{path} is not a joblib file of float32 arrays: {error!r}") from error


class _Unpickler(pickle.Unpickler):
    def __init__(self, stream: io.BytesIO) -> None:
        # A BytesIO cannot be peeked into, so that the unpickler reads no further than the wrapper, and the wrapper
        # finds its array next in the stream.
        super().__init__(stream)
        self._names: dict[tuple[str, str], type | None] = {
            ("joblib.numpy_pickle", "NumpyArrayWrapper"): type("_BoundWrapper", (_Wrapper,), {"stream": stream}),
            ("numpy", "dtype"): _Float32,
            # Named as the class that the array had, and not called.
            ("numpy", "ndarray"): None,
        }

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in self._names:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}")
        return self._names[module, name]


class _Float32:
    """Stands for numpy.dtype, and takes little-endian float32 only."""

    def __init__(self, code: str, *_: bool) -> None:
        if code != "f4":
            raise pickle.UnpicklingError(f"it has an array of {code}")

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        if state[1] != "<":
            raise pickle.UnpicklingError(f"its arrays have the byte order {state[1]}")


class _Wrapper:
    """Stands for joblib's NumpyArrayWrapper, and reads its array as soon as it is told of its form."""

    stream: io.BytesIO
    array: NDArray[np.float32]

    def __setstate__(self, state: dict[str, Any]) -> None:
        if not isinstance(state["dtype"], _Float32):
            raise pickle.UnpicklingError("it has an array of no type")
        if state.get("numpy_array_alignment_bytes") is not None:
            # One byte says how many bytes of padding follow it.
            self.stream.seek(self.stream.read(1)[0], io.SEEK_CUR)
        content = self.stream.read(4 * prod(state["shape"]))
        self.array = np.frombuffer(content, "<f4").reshape(state["shape"], order=state["order"])
