"""Area and overlap of boxes, and rotation of photos, points and boxes by quarter turns."""

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Box: TypeAlias = tuple[float, float, float, float]
"""Left, top, right, bottom in pixels; right and bottom are exclusive."""


def area(box: Box) -> float:
    """Return the area of a box in square pixels; 0 if its corners are in the wrong order."""
    return max(box[2] - box[0], 0.0) * max(box[3] - box[1], 0.0)


def intersection_over_union(first: Box, second: Box) -> float:
    """Return how much two boxes overlap, from 0 to 1."""
    corners = (max(first[0], second[0]), max(first[1], second[1]), min(first[2], second[2]), min(first[3], second[3]))
    shared = area(corners)
    return shared / (area(first) + area(second) - shared) if shared else 0.0


def turned(pixels: NDArray[np.uint8], turns: int) -> NDArray[np.uint8]:
    """Rotate `pixels`, (height, width, 3), by `turns` quarter turns counterclockwise."""
    return np.ascontiguousarray(np.rot90(pixels, turns))


def turned_points(points: NDArray[np.floating], turns: int, width: int, height: int) -> NDArray[np.float64]:
    """Rotate the (n, 2) `points` of a photo of `width` by `height` by `turns` quarter turns counterclockwise."""
    x, y = points[:, 0].astype(np.float64), points[:, 1].astype(np.float64)
    for _ in range(turns % 4):
        x, y = y, width - x
        width, height = height, width
    return np.column_stack([x, y])


def turned_box(box: Box, turns: int, width: int, height: int) -> Box:
    """Rotate a box of a photo of `width` by `height` by `turns` quarter turns counterclockwise."""
    corners = turned_points(np.array(box).reshape(2, 2), turns, width, height)
    (left, top), (right, bottom) = corners.min(axis=0).tolist(), corners.max(axis=0).tolist()
    return left, top, right, bottom
