"""The arrays of Keras files are read by layer, and nothing else in them."""

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from models.errors import ModelError
from models.weights.keras_file import read_layers

KERNEL = np.arange(6, dtype=np.float32).reshape(2, 3)


def written(path: Path, name: str = "dense/dense/kernel:0", **options: Any) -> Path:
    with h5py.File(path, "w") as file:
        file.create_dataset(name, **{"data": KERNEL} | options)
    return path


@pytest.mark.parametrize("root", ["", "model_weights/"])
def test_arrays_are_read_by_layer(tmp_path: Path, root: str) -> None:
    layers = read_layers(written(tmp_path / "weights.h5", f"{root}dense/dense/kernel:0"))
    assert {layer: list(arrays) for layer, arrays in layers.items()} == {"dense": ["kernel"]}
    np.testing.assert_array_equal(layers["dense"]["kernel"], KERNEL)


@pytest.mark.parametrize(
    "options",
    [
        {"compression": "gzip", "data": np.zeros((99, 99), np.float32)},
        {"data": None, "shape": (10**6, 10**6), "dtype": "f4", "chunks": (1, 1)},
        {"data": None, "shape": (9,), "dtype": "f4", "external": [("other", 0, 36)]},
        {"data": ["text"]},
        {"name": "kernel"},
        {"name": "model_weights"},
    ],
    ids=["compressed", "empty", "in another file", "text", "without a layer", "without layers"],
)
def test_other_files_are_rejected(tmp_path: Path, options: dict[str, Any]) -> None:
    with pytest.raises(ModelError, match="not a Keras weights file"):
        read_layers(written(tmp_path / "weights.h5", **options))


def test_a_damaged_or_missing_file_is_an_error_of_the_model(tmp_path: Path) -> None:
    damaged = tmp_path / "damaged.h5"
    damaged.write_bytes(written(tmp_path / "weights.h5").read_bytes()[:-9])
    for path in (damaged, tmp_path / "nowhere.h5"):
        with pytest.raises(ModelError, match="not a Keras weights file"):
            read_layers(path)
