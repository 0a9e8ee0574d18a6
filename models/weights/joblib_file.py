"""Read arrays from joblib's compressed pickles.

joblib pickles a list of wrappers and writes the bytes of each array after its wrapper, in the middle of the pickle
(`NumpyArrayWrapper` in joblib/numpy_pickle.py).
"""

import io
from math import prod
from pathlib import Path
from typing import Any

import lz4.frame
import numpy as np
from numpy.typing import NDArray

from models.errors import ModelError
from models.weights.pickles import PickleError, read_pickle


def read_arrays(path: Path) -> list[NDArray[np.float32]]:
    """Read the float32 arrays in the lz4-compressed joblib file at `path`, in the file's order.

    Raises:
        ModelError: the file is damaged, or contains anything but a list of float32 arrays.
    """
    try:
        stream = io.BytesIO(lz4.frame.decompress(path.read_bytes()))
        wrappers = read_pickle(
            stream,
            {
                # The array comes next in the stream.
                ("joblib.numpy_pickle", "NumpyArrayWrapper"): lambda: _Wrapper(stream),
                ("numpy", "dtype"): _Float32,
                # The class of the arrays. The pickle names it but does not call it.
                ("numpy", "ndarray"): object,
            },
        )
        return [wrapper.array for wrapper in wrappers]
    except (OSError, EOFError, RuntimeError, AttributeError, TypeError, PickleError) as error:
        # A pickle of anything but wrappers has no list, or no arrays.
        raise ModelError(f"{path} is not a joblib file of float32 arrays: {error}") from error


class _Float32:
    """Replaces numpy.dtype. Accepts little-endian float32 only."""

    def __init__(self, code: str, *_: bool) -> None:
        if code != "f4":
            raise PickleError("it has an array of another type")

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        if state[1] != "<":
            raise PickleError("it has an array in another byte order")


class _Wrapper:
    """Replaces joblib's NumpyArrayWrapper. Reads its array from the stream when its state is set."""

    array: NDArray[np.float32]

    def __init__(self, stream: io.BytesIO) -> None:
        self._stream = stream

    def __setstate__(self, state: dict[str, Any]) -> None:
        if not isinstance(state["dtype"], _Float32):
            raise PickleError("it has an array without a type")
        if state.get("numpy_array_alignment_bytes") is not None:
            # One byte states how many bytes of padding follow.
            self._stream.seek(self._stream.read(1)[0], io.SEEK_CUR)
        shape = state["shape"]
        # If the shape contained a string, `prod` would repeat it.
        if not all(isinstance(side, int) for side in shape):
            raise PickleError("it has an array with an invalid shape")
        content = self._stream.read(4 * prod(shape))
        self.array = np.frombuffer(content, "<f4").reshape(shape, order=state["order"])
