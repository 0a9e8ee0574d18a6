"""Scales down many windows of one photo by exact averaging."""

import cv2
import numpy as np
from numpy.typing import NDArray


class AreaSampler:
    """Averages boxes of pixels by means of the photo's integral image.

    Each sample is the mean of all pixels that its cell touches: torch's ``area`` interpolation (adaptive average
    pooling), in time proportional to the number of samples, not of pixels
    (Crow, "Summed-area tables for texture mapping", SIGGRAPH 1984).

    Args:
        pixels: uint8 (height, width, 3), in any colour order, which the samples keep.
    """

    def __init__(self, pixels: NDArray[np.uint8]) -> None:
        # Sums may overflow 32 bits and wrap around. Their differences are small, and therefore still correct.
        self._sums = np.asarray(cv2.integral(pixels, sdepth=cv2.CV_32S), dtype=np.int32)
        self.size = (pixels.shape[1], pixels.shape[0])
        """Width and height of the photo in pixels."""

    def whole(self, width: int, height: int) -> NDArray[np.float32]:
        """Scale the whole photo to float32 (1, height, width, 3), from 0 to 255."""
        x0, x1 = _cells(np.array([0]), np.array([self.size[0]]), width)
        y0, y1 = _cells(np.array([0]), np.array([self.size[1]]), height)
        rows = self._sums.take(y1[0], 0, mode="clip")
        rows -= self._sums.take(y0[0], 0, mode="clip")
        sums = rows.take(x1[0], 1)
        sums -= rows.take(x0[0], 1)
        return _means(sums[None], x1 - x0, y1 - y0)

    def windows(self, boxes: NDArray[np.int64], size: int) -> NDArray[np.float32]:
        """Scale each of the (n, 4) boxes to float32 (n, size, size, 3), from 0 to 255, black outside the photo.

        Boxes are left, top, right, bottom in pixels, right and bottom exclusive, and not empty.
        """
        x0, x1 = _cells(boxes[:, 0], boxes[:, 2], size)
        y0, y1 = _cells(boxes[:, 1], boxes[:, 3], size)
        left, right = (np.clip(x, 0, self.size[0])[:, None, :] for x in (x0, x1))
        # Taking from a flat table is three times as fast as indexing rows and columns. All indices are within the
        # table; mode "clip" takes a third less time than the default, with which numpy buffers.
        top, bottom = ((np.clip(y, 0, self.size[1]) * (self.size[0] + 1))[:, :, None] for y in (y0, y1))
        table = self._sums.reshape(-1, 3)
        sums = table.take(bottom + right, 0, mode="clip")
        sums -= table.take(top + right, 0, mode="clip")
        sums -= table.take(bottom + left, 0, mode="clip")
        sums += table.take(top + left, 0, mode="clip")
        return _means(sums, x1 - x0, y1 - y0)


def _cells(
    start: NDArray[np.int64], stop: NDArray[np.int64], count: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Start and end (exclusive) of `count` cells over each range from `start` to `stop`, each (n, count)."""
    index = np.arange(count)
    length = (stop - start)[:, None]
    first = start[:, None] + index * length // count
    last = start[:, None] + -(-(index + 1) * length // count)
    return first, last


def _means(sums: NDArray[np.int32], widths: NDArray[np.int64], heights: NDArray[np.int64]) -> NDArray[np.float32]:
    means = sums.astype(np.float32)
    means *= (1 / heights).astype(np.float32)[:, :, None, None]
    means *= (1 / widths).astype(np.float32)[:, None, :, None]
    return means
