"""Crops faces to the input that a model expects."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from imaging.geometry import Box, turned, turned_box

Fit: TypeAlias = Literal["aligned", "box", "square", "inside", "left_eye", "right_eye"]

# Positions of the eyes, the nose tip and the corners of the mouth in an aligned 112x112 crop: the
# template of the ArcFace authors (Deng et al., "ArcFace", CVPR 2019), shared by its descendants.
TEMPLATE = np.array(
    [[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655], [70.7299, 92.2041]],
    dtype=np.float64,
)
TEMPLATE_SIZE = 112

MAX_TILT = 20.0
"""Maximum tilt that a crop of a face's box leaves uncorrected, in degrees. Training photos show tilted heads too."""


@dataclass(frozen=True, slots=True)
class CropSpec:
    """The crop of a face that a model expects. Hashable, because a request's crops are keyed by it.

    Attributes:
        size: side of the square crop in pixels.
        fit: how the face is fitted into the square:
            ``aligned``: the landmarks are moved onto the ArcFace template, black outside the photo;
            ``box``: the box times `scale`, clipped to the photo, then stretched to the square;
            ``square``: a square of `scale` times the box's longer side, black outside the photo;
            ``inside``: the box times `scale`, shrunk and shifted until it lies inside the photo,
            then stretched to the square.
            ``left_eye``, ``right_eye``: a square of `scale` times the distance between the eyes, centred on the eye and
            level with both eyes. Outside the photo, its edge is repeated. Left and right are as in the landmarks.
        scale: factor by which the box grows about its centre. Not used for ``aligned``.
    """

    size: int
    fit: Fit
    scale: float = 1.0


def similarity_transform(landmarks: NDArray[np.floating], target: NDArray[np.floating]) -> NDArray[np.float64]:
    """Find the rotation, scale and shift that bring `landmarks` closest to `target`.

    Solves least squares over (n, 2) points in closed form, without reflection (Umeyama, "Least-squares
    estimation of transformation parameters between two point patterns", PAMI 1991). In the plane the
    solution is one complex division.

    Returns:
        float64 (2, 3) affine matrix from the landmarks' pixels to the target's.

    Raises:
        ValueError: all landmarks coincide.
    """
    source = landmarks[:, 0] + 1j * landmarks[:, 1]
    wanted = target[:, 0] + 1j * target[:, 1]
    centred = source - source.mean()
    spread = float(np.vdot(centred, centred).real)
    if spread < 1e-12:
        raise ValueError("landmarks that coincide cannot be aligned")
    turn = np.vdot(centred, wanted - wanted.mean()) / spread
    shift = wanted.mean() - turn * source.mean()
    return np.array([[turn.real, -turn.imag, shift.real], [turn.imag, turn.real, shift.imag]])


def tilt(landmarks: NDArray[np.floating]) -> float:
    """Return the counterclockwise rotation of a photo that sets a face upright, in degrees, -180 to 180.

    Args:
        landmarks: (5, 2) in pixels. If they coincide, the face counts as upright.
    """
    if np.ptp(landmarks, axis=0).max() < 1e-3:
        return 0.0
    matrix = similarity_transform(landmarks, TEMPLATE)
    # The y axis points down: the matrix rotates clockwise by this angle.
    return -math.degrees(math.atan2(matrix[1, 0], matrix[0, 0]))


def quarter_turns(landmarks: NDArray[np.floating]) -> int:
    """Return the counterclockwise quarter turns, 0 to 3, that bring a face upright to within 45 degrees."""
    return round(tilt(landmarks) / 90) % 4


def box_rotation(landmarks: NDArray[np.floating]) -> float:
    """Return the counterclockwise rotation of a photo before a face's box is cropped, in degrees, -180 to 180.

    Whole quarter turns, and the rest of the tilt if it exceeds `MAX_TILT`.
    """
    degrees = tilt(landmarks)
    turns = 90 * round(degrees / 90)
    return degrees if abs(degrees - turns) > MAX_TILT else float(turns)


def cut(
    pixels: NDArray[np.uint8],
    boxes: Sequence[Box],
    landmarks: Sequence[NDArray[np.float32]],
    spec: CropSpec,
) -> NDArray[np.uint8]:
    """Crop each face.

    Args:
        pixels: uint8 (height, width, 3), in any colour order, which the crops keep.
        boxes: left, top, right, bottom of each face, in pixels.
        landmarks: (5, 2) of each face, in pixels. ``aligned`` moves them onto the template. Crops for ``left_eye`` and
            ``right_eye`` have that eye in their middle. Otherwise, the photo is first rotated by their `box_rotation`.
        spec: shape of the crops.

    Returns:
        uint8 (faces, size, size, 3).
    """
    crops = np.zeros((len(boxes), spec.size, spec.size, 3), dtype=np.uint8)
    for crop, box, points in zip(crops, boxes, landmarks, strict=True):
        if spec.fit == "aligned":
            crop[:] = _aligned(pixels, points, spec.size)
        elif spec.fit in ("left_eye", "right_eye"):
            crop[:] = _eye(pixels, points, spec)
        else:
            upright, upright_box = _upright(pixels, box, points)
            crop[:] = _stretched(_region(upright, upright_box, spec), spec)
    return crops


def _upright(pixels: NDArray[np.uint8], box: Box, points: NDArray[np.float32]) -> tuple[NDArray[np.uint8], Box]:
    """Rotate the photo by `box_rotation`, and return it with the face's box."""
    rotation = box_rotation(points)
    if turns := round(rotation / 90) % 4:
        pixels, box = turned(pixels, turns), turned_box(box, turns, pixels.shape[1], pixels.shape[0])
    if rest := rotation - 90 * round(rotation / 90):
        left, top, right, bottom = box
        height, width = pixels.shape[:2]
        matrix = cv2.getRotationMatrix2D(((left + right) / 2, (top + bottom) / 2), rest, 1)
        size, edge = (width, height), cv2.BORDER_REPLICATE
        pixels = np.asarray(cv2.warpAffine(pixels, matrix, size, flags=cv2.INTER_LINEAR, borderMode=edge), np.uint8)
    return pixels, box


def _aligned(pixels: NDArray[np.uint8], points: NDArray[np.float32], size: int) -> NDArray[np.uint8]:
    matrix = similarity_transform(points, TEMPLATE * (size / TEMPLATE_SIZE))
    warped = cv2.warpAffine(pixels, matrix, (size, size), flags=cv2.INTER_LINEAR)
    return np.asarray(warped, dtype=np.uint8)


def _eye(pixels: NDArray[np.uint8], points: NDArray[np.float32], spec: CropSpec) -> NDArray[np.uint8]:
    left, right = points[0].astype(np.float64), points[1].astype(np.float64)
    between = right - left
    distance = max(float(np.hypot(*between)), 1.0)
    # If the eyes coincide, do not rotate.
    cosine, sine = between / distance if between.any() else (1.0, 0.0)
    turn = np.array([[cosine, sine], [-sine, cosine]]) * spec.size / (spec.scale * distance)
    centre = left if spec.fit == "left_eye" else right
    matrix = np.column_stack([turn, spec.size / 2 - 0.5 - turn @ centre])
    size, edge = (spec.size, spec.size), cv2.BORDER_REPLICATE
    return np.asarray(cv2.warpAffine(pixels, matrix, size, flags=cv2.INTER_LINEAR, borderMode=edge), np.uint8)


def _stretched(region: NDArray[np.uint8], spec: CropSpec) -> NDArray[np.uint8]:
    if spec.fit == "inside":
        # MiniFASNet was trained on crops resized with bilinear interpolation. With area averaging, it scored a spoof
        # higher (0.26 instead of 0.17) and rejected 6 of 29 live faces instead of 1.
        method = cv2.INTER_LINEAR
    else:
        # Bilinear enlargement blurs a live face so much that the deep tree network takes it for a replay.
        method = cv2.INTER_AREA if min(region.shape[:2]) > spec.size else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(region, (spec.size, spec.size), interpolation=method), dtype=np.uint8)


def _region(pixels: NDArray[np.uint8], box: Box, spec: CropSpec) -> NDArray[np.uint8]:
    """Return the pixels of the scaled box, at least one in each direction."""
    photo_height, photo_width = pixels.shape[:2]
    left, top, right, bottom = box
    centre_x, centre_y = (left + right) / 2, (top + bottom) / 2
    width, height = max(right - left, 1.0), max(bottom - top, 1.0)
    if spec.fit == "square":
        width = height = max(width, height)
    scale = spec.scale
    if spec.fit == "inside":
        scale = min(scale, photo_width / width, photo_height / height)
    width, height = width * scale, height * scale
    if spec.fit == "inside":
        centre_x = min(max(centre_x, width / 2), photo_width - width / 2)
        centre_y = min(max(centre_y, height / 2), photo_height - height / 2)
    x0, y0 = round(centre_x - width / 2), round(centre_y - height / 2)
    x1, y1 = max(x0 + round(width), x0 + 1), max(y0 + round(height), y0 + 1)
    # A box outside the photo gives the nearest edge pixels, never an empty array.
    in_x0, in_y0 = min(max(x0, 0), photo_width - 1), min(max(y0, 0), photo_height - 1)
    in_x1, in_y1 = max(min(x1, photo_width), in_x0 + 1), max(min(y1, photo_height), in_y0 + 1)
    inner = pixels[in_y0:in_y1, in_x0:in_x1]
    if spec.fit != "square":
        return inner
    padding = (max(in_y0 - y0, 0), max(y1 - in_y1, 0), max(in_x0 - x0, 0), max(x1 - in_x1, 0))
    return np.asarray(cv2.copyMakeBorder(inner, *padding, cv2.BORDER_CONSTANT), dtype=np.uint8)
