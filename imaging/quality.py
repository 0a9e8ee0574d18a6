"""Measures brightness, contrast and sharpness."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Quality:
    """Quality of one photo, measured on its grey values (ITU-R BT.601 luma, 0 to 255).

    Attributes:
        brightness: mean grey value.
        contrast: standard deviation of the grey values.
        sharpness: variance of the 3x3 Laplacian (Pech-Pacheco et al., "Diatom autofocusing in
            brightfield microscopy", ICPR 2000). Depends on the resolution of the pixels.
    """

    brightness: float
    contrast: float
    sharpness: float


def measure(pixels: NDArray[np.uint8]) -> Quality:
    """Measure the quality of uint8 (height, width, 3) RGB `pixels`."""
    grey = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)
    mean, deviation = cv2.meanStdDev(grey)
    _, edges = cv2.meanStdDev(cv2.Laplacian(grey, cv2.CV_16S))
    return Quality(float(mean[0, 0]), float(deviation[0, 0]), float(edges[0, 0]) ** 2)
