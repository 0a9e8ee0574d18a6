"""The MTCNN cascade around its three networks.

Zhang et al., "Joint Face Detection and Alignment Using Multitask Cascaded Convolutional Networks",
IEEE Signal Processing Letters 2016. PNet proposes windows over an image pyramid, RNet refines them,
ONet decides and places the landmarks. Coordinates follow facenet-pytorch, so that the same settings
give the same boxes.
"""

from collections.abc import Callable, Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from imaging.area import AreaSampler
from imaging.faces import Face
from imaging.pick import Pick
from models.detection import Detector

Network = Callable[[NDArray[np.float32]], tuple[NDArray[np.float32], ...]]
Boxes = NDArray[np.float32]
"""float32 (n, 5): left, top, right, bottom, score."""
Windows = NDArray[np.float32]
"""float32 (n, 9): a box, and by which shares of its sides PNet would move its edges."""

STRIDE, CELL = 2, 12
"""PNet looks at a cell of 12 pixels every 2 pixels of a pyramid level."""

COARSE = 1 / 6
"""Where one face is wanted, windows of more than this share of the photo's shorter side are looked at first."""

BLOCK = 256
"""Boxes that non-maximum suppression compares with all others in one step."""


class Mtcnn(Detector):
    """The cascade.

    Args:
        pnet, rnet, onet: float32 (n, height, width, 3) RGB windows of 0 to 255 to the probability of a face, the
            box regression, and from ONet the landmarks: `models.architectures.mtcnn`.
        min_face: side of the smallest face looked for, in pixels. Smaller costs more time and
            invents more faces.
        thresholds: least probability to pass each of the three stages.
        sure: beside a face of at least this score, a weaker one is not believed. A weak face is
            often real when it is the photo's best, and mostly a hand or a pattern when it is not.
        edges: what a window that reaches over the photo's edge shows there: ``black``, as in the
            authors' code, or ``cut``, where what is left is stretched to the window's size, as in
            facenet-pytorch. Stretching misplaces the landmarks of faces at the edge: on tight crops
            of Labeled Faces in the Wild it costs MobileFaceNet 10 points of accuracy.
        factor: ratio of a pyramid level to the one above it.
        rival_score: see `models.detection.Detector`. In 500 portraits, hands and pins score up to 0.93 and bystanders
            from 0.95; 4 % of 351 faces in crowds score less. It corrects the largest face of six LFW photos out of
            3,811, and the prominent face of one.
        sure_score: see `models.detection.Detector`. Of 270 upright photos the face of 1.5 % scores less; of 388 upright
            faces that were found on their turned copies, where none is, 3 score as much.
    """

    def __init__(
        self,
        pnet: Network,
        rnet: Network,
        onet: Network,
        *,
        min_face: int = 40,
        thresholds: tuple[float, float, float] = (0.6, 0.7, 0.7),
        sure: float = 0.9,
        edges: Literal["black", "cut"] = "black",
        factor: float = 0.709,
        rival_score: float = 0.95,
        sure_score: float = 0.995,
    ) -> None:
        self._pnet, self._rnet, self._onet = pnet, rnet, onet
        self._min_face = min_face
        self._thresholds = thresholds
        self._sure = sure
        self._edges = edges
        self._factor = factor
        self.rival_score, self.sure_score = rival_score, sure_score

    def detect(self, pixels: NDArray[np.uint8]) -> list[Face]:
        """Find the faces in uint8 (height, width, 3) RGB `pixels`, best score first."""
        photo = _SampledPhoto(pixels)
        return self._found(photo, [self._seen(photo, scale) for scale in self._scales(photo)])

    def find(self, pixels: NDArray[np.uint8], pick: Pick) -> list[Face]:
        """Find the faces in `pixels` that count.

        Most of the time goes into the pyramid's large levels, which show small faces. Where not all faces count, the
        others come first: once they show a sure face that no smaller face could replace, or be counted beside, the
        rest need not be looked at.
        """
        if pick.rule == "all":
            return self.detect(pixels)
        photo = _SampledPhoto(pixels)
        scales, levels = self._scales(photo)[::-1], list[Windows]()
        least = COARSE * min(photo.size)
        while True:
            while len(levels) < len(scales) and CELL / scales[len(levels)] > least:
                levels.append(self._seen(photo, scales[len(levels)]))
            found = self._found(photo, levels[::-1])
            picked = pick.of(found, *photo.size, self.rival_score)
            if len(levels) == len(scales):
                return picked
            # A face that is not sure might not be believed beside another.
            sure = bool(picked) and picked[0].score >= max(self._sure, self.rival_score)
            needed = _smallest_window(pick, picked[0], *photo.size) if sure else 0.0
            if CELL / scales[len(levels) - 1] <= needed:
                return picked
            least = self._factor * needed

    def _scales(self, photo: "_SampledPhoto") -> list[float]:
        """Scales of the image pyramid's levels, the largest level first."""
        scales, scale = [], CELL / self._min_face
        while min(photo.size) * scale >= CELL:
            scales.append(scale)
            scale *= self._factor
        return scales

    def _seen(self, photo: "_SampledPhoto", scale: float) -> Windows:
        """What may be a face at one level of the pyramid."""
        width, height = photo.size
        face, regression = self._pnet(photo.sampler.whole(int(width * scale + 1), int(height * scale + 1)))
        windows = _windows(face[0], regression[0], scale, self._thresholds[0])
        return windows[non_maximum_suppression(windows, 0.5)]

    def _found(self, photo: "_SampledPhoto", levels: Sequence[Windows]) -> list[Face]:
        """The faces that these levels show, best score first."""
        faces = self._decide(photo, self._refine(photo, self._propose(levels)))
        if faces and faces[0].score >= self._sure:
            return [face for face in faces if face.score >= self._sure]
        return faces

    def _propose(self, levels: Sequence[Windows]) -> Boxes:
        """Square windows that may hold a face."""
        windows = np.concatenate([np.zeros((0, 9), np.float32), *levels])
        windows = windows[non_maximum_suppression(windows, 0.7)]
        sides = np.tile(windows[:, 2:4] - windows[:, :2], 2)
        boxes = np.column_stack([windows[:, :4] + windows[:, 5:] * sides, windows[:, 4]])
        return _squared(boxes)

    def _refine(self, photo: "_SampledPhoto", boxes: Boxes) -> Boxes:
        boxes, windows = self._touching(photo, boxes)
        if not len(boxes):
            return boxes
        face, regression = photo.ask(self._rnet, windows, 24)
        passed = face > self._thresholds[1]
        boxes = np.column_stack([boxes[passed, :4], face[passed]])
        kept = non_maximum_suppression(boxes, 0.7)
        return _squared(_regressed(boxes[kept], regression[passed][kept]))

    def _decide(self, photo: "_SampledPhoto", boxes: Boxes) -> list[Face]:
        boxes, windows = self._touching(photo, boxes)
        if not len(boxes):
            return []
        face, regression, landmarks = photo.ask(self._onet, windows, 48)
        passed = face > self._thresholds[2]
        boxes = np.column_stack([boxes[passed, :4], face[passed]])
        # ONet gives all x and then all y, as shares of the window, whose pixels count from one.
        shares = landmarks[passed].reshape(-1, 2, 5).transpose(0, 2, 1)
        points = shares * (boxes[:, None, 2:4] - boxes[:, None, :2] + 1) + boxes[:, None, :2] - 1
        boxes = _regressed(boxes, regression[passed])
        return [
            Face((float(box[0]), float(box[1]), float(box[2]), float(box[3])), float(box[4]), points[index])
            for index in _suppressed_within(boxes, 0.7)
            for box in [boxes[index]]
        ]

    def _touching(self, photo: "_SampledPhoto", boxes: Boxes) -> tuple[Boxes, NDArray[np.int64]]:
        """The boxes that touch the photo, and the windows of whole pixels that show them, int64 (n, 4)."""
        # Coordinates count from one here, as in the authors' Matlab code.
        windows = boxes[:, :4].astype(np.int64) - (1, 1, 0, 0)
        inner = np.column_stack([np.maximum(windows[:, :2], 0), np.minimum(windows[:, 2:], photo.size)])
        touching = (inner[:, 2:] > inner[:, :2]).all(axis=1)
        return boxes[touching], (inner if self._edges == "cut" else windows)[touching]


class _SampledPhoto:
    """A photo, and what RNet and ONet answered for windows of it, so that neither sees a window twice.

    Args:
        pixels: uint8 (height, width, 3) RGB.
    """

    def __init__(self, pixels: NDArray[np.uint8]) -> None:
        self.sampler = AreaSampler(pixels)
        self.size = self.sampler.size
        self._answers: dict[tuple[int, bytes], tuple[NDArray[np.float32], ...]] = {}

    def ask(self, network: Network, windows: NDArray[np.int64], size: int) -> list[NDArray[np.float32]]:
        """What `network`, which takes windows of `size` pixels, answers for each of at least one window (n, 4)."""
        keys = [(size, window.tobytes()) for window in windows]
        new = [place for place, key in enumerate(keys) if key not in self._answers]
        if new:
            outputs = network(self.sampler.windows(windows[new], size))
            self._answers |= zip((keys[place] for place in new), zip(*outputs, strict=True), strict=True)
        return [np.stack(column) for column in zip(*(self._answers[key] for key in keys), strict=True)]


def non_maximum_suppression(boxes: NDArray[np.float32], overlap: float) -> NDArray[np.intp]:
    """Indices of the boxes to keep, best score first.

    Args:
        boxes: (n, 5 or more): left, top, right, bottom, score.
        overlap: a box is dropped when its intersection over union with a better one is above it.
    """

    def same(some: Boxes, others: Boxes) -> NDArray[np.bool_]:
        shared, areas, other_areas = _areas(some, others, 0)
        return shared > overlap * (areas + other_areas - shared)

    return _suppressed(boxes, same)


def _suppressed_within(boxes: Boxes, overlap: float) -> NDArray[np.intp]:
    """As above, by the share of the smaller box: drops a box that lies within a better one."""

    def same(some: Boxes, others: Boxes) -> NDArray[np.bool_]:
        shared, areas, other_areas = _areas(some, others, 1)
        return shared > overlap * np.minimum(areas, other_areas)

    return _suppressed(boxes, same)


def _areas(some: Boxes, others: Boxes, edge: int) -> tuple[NDArray[np.float32], ...]:
    """What each two boxes share, (n, m), and their own areas, (n, 1) and (m); a side is its difference and `edge`."""
    corners = np.maximum(some[:, None, :2], others[:, :2])
    sides = np.maximum(np.minimum(some[:, None, 2:4], others[:, 2:4]) - corners + edge, 0)
    own, other = (boxes[:, 2:4] - boxes[:, :2] + edge for boxes in (some, others))
    return sides[..., 0] * sides[..., 1], (own[:, 0] * own[:, 1])[:, None], other[:, 0] * other[:, 1]


def _suppressed(boxes: Boxes, same: Callable[[Boxes, Boxes], NDArray[np.bool_]]) -> NDArray[np.intp]:
    """Indices of the boxes that are the `same` as no better one that is kept, best first.

    Boxes are compared in blocks, many with many in one step, so that noise in which everything looks
    like a face takes no memory for all pairs.
    """
    order = np.argsort(-boxes[:, 4], kind="stable")
    kept: list[np.intp] = []
    while len(order):
        block, order = order[:BLOCK], order[BLOCK:]
        twins, left, best = same(boxes[block], boxes[block]), np.ones(len(block), dtype=np.bool_), []
        for index in range(len(block)):
            if left[index]:
                best.append(index)
                left &= ~twins[index]
        kept.extend(block[best])
        if len(order):
            order = order[~same(boxes[block[best]], boxes[order]).any(axis=0)]
    return np.array(kept, dtype=np.intp)


def _smallest_window(pick: Pick, picked: Face, width: int, height: int) -> float:
    """Side of the smallest windows that have to be looked at once `picked` is known.

    Of 683 faces, each was still found when the windows were at least 1.8 times smaller than it, and 95 of 100 with
    windows of its own size (500 portraits, 120 crowds, 9 group photos): a face that could replace the picked one is
    looked for in windows of half its side, one that only counts beside it in windows of its size.
    """
    rival = pick.smallest_rival(picked, width, height)
    return min(rival, picked.side / 2) if pick.rule == "one" else rival / 2


def _windows(face: NDArray[np.float32], regression: NDArray[np.float32], scale: float, least: float) -> Windows:
    """The cells of one level that pass, in the photo's pixels."""
    rows, columns = np.nonzero(face >= least)
    cells = np.column_stack([columns, rows]).astype(np.float32)
    corner = np.floor((STRIDE * cells + 1) / scale)
    opposite = np.floor((STRIDE * cells + CELL) / scale)
    score = face[rows, columns]
    return np.column_stack([corner, opposite, score, regression[:, rows, columns].T]).astype(np.float32)


def _regressed(boxes: Boxes, regression: NDArray[np.float32]) -> Boxes:
    """Boxes moved by shares of their sides."""
    sides = np.tile(boxes[:, 2:4] - boxes[:, :2] + 1, 2)
    return np.column_stack([boxes[:, :4] + regression * sides, boxes[:, 4]])


def _squared(boxes: Boxes) -> Boxes:
    """Boxes grown to squares about their centres."""
    sides = boxes[:, 2:4] - boxes[:, :2]
    longer = sides.max(axis=1, keepdims=True)
    corner = boxes[:, :2] + (sides - longer) / 2
    return np.column_stack([corner, corner + longer, boxes[:, 4]])
