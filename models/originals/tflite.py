"""Run TensorFlow Lite files."""

from collections.abc import Callable
from pathlib import Path
from threading import Lock

import numpy as np
import tensorflow
from numpy.typing import NDArray


def interpreter(path: Path, threads: int) -> Callable[[NDArray[np.float32]], list[NDArray[np.float32]]]:
    """Load the .tflite file at `path` in TensorFlow Lite.

    Returns:
        A thread-safe function from one batch to all outputs, ordered by name. A lock serialises its calls, because the
        interpreter keeps their tensors in shared memory: one face could otherwise get another face's embedding.
    """
    runtime = tensorflow.lite.Interpreter(model_path=str(path), num_threads=threads)
    entry = runtime.get_input_details()[0]["index"]
    outputs = sorted(runtime.get_output_details(), key=lambda output: str(output["name"]))
    lock = Lock()

    def run(batch: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        with lock:
            runtime.resize_tensor_input(entry, batch.shape)
            runtime.allocate_tensors()
            runtime.set_tensor(entry, batch)
            runtime.invoke()
            # get_tensor copies, so the next call does not overwrite these.
            return [runtime.get_tensor(output["index"]) for output in outputs]

    return run
