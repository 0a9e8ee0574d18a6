"""MTCNN's three networks, with the weights of the package mtcnn, which runs them in TensorFlow."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.architectures.mtcnn import OUTPUTS, CascadeArrays, export_cascade
from models.card import Card
from models.weights.joblib_file import read_arrays


def export(card: Card, folder: Path) -> None:
    """Write the three ONNX files, with the same inputs and outputs as `models.architectures.mtcnn`."""
    networks = [
        cascade_arrays(read_arrays(folder / file.name), outputs)
        for file, outputs in zip(card.files, OUTPUTS, strict=True)
    ]
    export_cascade(networks, card, folder)


def cascade_arrays(arrays: Sequence[NDArray[np.float32]], outputs: int) -> CascadeArrays:
    """Convert the weights to the layout and order of `CascadeArrays`.

    Args:
        arrays: in the file's order: kernel (height, width, in, out), bias and PReLU slopes of each convolution, then
            kernel (in, out) and bias of each fully connected layer. The first fully connected kernel needs no
            permutation, because the network of `models.architectures.mtcnn` flattens in the same order: column, row,
            channel.
        outputs: number of outputs. The classes come last in the file.
    """
    first = len(arrays) - 2 * outputs
    ordered = [*arrays[:first], *arrays[-2:], *arrays[first:-2]]
    return [
        array.transpose(3, 2, 0, 1) if array.ndim == 4 else array.T if array.ndim == 2 else array.ravel()
        for array in ordered
    ]
