"""The MTCNN cascade around its three networks.

Zhang et al., "Joint Face Detection and Alignment Using Multitask Cascaded Convolutional Networks", IEEE Signal
Processing Letters 2016. PNet proposes windows in an image pyramid, RNet refines them, and ONet makes the final decision
and places the landmarks. Coordinates are computed as in facenet-pytorch, so that the same settings give the same boxes.
"""

from collections.abc import Callable, Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from imaging.area import AreaSampler
from imaging.faces import Face
from imaging.pick import Pick
from models.detection import Detector, face_in

CascadeNetwork = Callable[[NDArray[np.float32]], tuple[NDArray[np.float32], ...]]
"""Takes windows, float32 (n, height, width, 3) RGB, 0 to 255; returns the probabilities of a face, the box regressions
and, for ONet, the landmarks."""
Boxes = NDArray[np.float32]
"""float32 (n, 5): left, top, right, bottom, score."""
Windows = NDArray[np.float32]
"""float32 (n, 9): a box, and PNet's regression (how far to move each edge, as shares of the box's sides)."""

STRIDE, CELL = 2, 12
"""PNet looks at cells of 12 pixels, 2 pixels apart, in each pyramid level."""

COARSE = 1 / 6
"""If not all faces count, windows larger than this share of the photo's shorter side are searched first."""

BLOCK = 256
"""Number of boxes that non-maximum suppression compares with all others in one step."""


@dataclass(eq=False)
class Mtcnn(Detector):
    """Finds faces with the cascade.

    Attributes:
        pnet, rnet, onet: the networks, see `models.architectures.mtcnn`.
        min_face: side of the smallest face to look for, in pixels. A smaller value takes more time and gives more false
            faces.
        thresholds: minimum probability at each of the three stages.
        sure: if a face scores at least this, faces that score less are dropped. A face with a low score is often real
            if it is the best in the photo, and otherwise usually a hand or a pattern.
        edges: how a window that extends beyond the photo is filled: ``black``, as in the authors' code, or ``cut``,
            which stretches the part inside the photo to the window's size, as in facenet-pytorch. Stretching misplaces
            the landmarks of faces at the edge: on tight crops of Labeled Faces in the Wild it costs MobileFaceNet 10
            points of accuracy.
        factor: scale of each pyramid level relative to the previous one.
        rival_score: see `models.detection.Detector`. In 500 portraits, hands and pins score up to 0.93, and bystanders
            0.95 or more. Of 351 faces in crowds, 4 % score less than 0.95. The limit corrects the choice of the largest
            face in 6 of 3,811 LFW photos, and of the prominent face in one.
        sure_score: see `models.detection.Detector`. In 1.5 % of 270 upright photos, the face scores less than this. Of
            388 false upright faces in rotated photos, 3 reach this score.
    """

    pnet: CascadeNetwork
    rnet: CascadeNetwork
    onet: CascadeNetwork
    _: KW_ONLY
    min_face: int = 40
    thresholds: tuple[float, float, float] = (0.6, 0.7, 0.7)
    sure: float = 0.9
    edges: Literal["black", "cut"] = "black"
    factor: float = 0.709
    rival_score: float = 0.95
    sure_score: float = 0.995

    def detect(self, pixels: NDArray[np.uint8]) -> list[Face]:
        """Find the faces in uint8 (height, width, 3) RGB `pixels`, best score first."""
        photo = _SampledPhoto(pixels)
        return self._found(photo, [self._candidates(photo, scale) for scale in self._scales(photo)])

    def find(self, pixels: NDArray[np.uint8], pick: Pick) -> list[Face]:
        """Find the faces in `pixels` that count.

        The large levels of the pyramid, which show small faces, take most of the time. If not all faces count, the
        small levels are searched first. The search ends once they show a sure face, and no smaller face could replace
        it or count in addition to it.
        """
        if pick.rule == "all":
            return self.detect(pixels)
        photo = _SampledPhoto(pixels)
        scales, levels = self._scales(photo)[::-1], list[Windows]()
        least = COARSE * min(photo.size)
        while True:
            while len(levels) < len(scales) and CELL / scales[len(levels)] > least:
                levels.append(self._candidates(photo, scales[len(levels)]))
            found = self._found(photo, levels[::-1])
            picked = pick.of(found, *photo.size, self.rival_score)
            if len(levels) == len(scales):
                return picked
            # A face below these scores might be dropped because of a better one.
            sure = bool(picked) and picked[0].score >= max(self.sure, self.rival_score)
            needed = _smallest_window(pick, picked[0], *photo.size) if sure else 0.0
            if CELL / scales[len(levels) - 1] <= needed:
                return picked
            least = self.factor * needed

    def _scales(self, photo: "_SampledPhoto") -> list[float]:
        """Scales of the pyramid's levels, the largest level first."""
        scales, scale = [], CELL / self.min_face
        while min(photo.size) * scale >= CELL:
            scales.append(scale)
            scale *= self.factor
        return scales

    def _candidates(self, photo: "_SampledPhoto", scale: float) -> Windows:
        """PNet's candidates at one level of the pyramid."""
        width, height = photo.size
        face, regression = self.pnet(photo.sampler.whole(int(width * scale + 1), int(height * scale + 1)))
        windows = _windows(face[0], regression[0], scale, self.thresholds[0])
        return windows[non_maximum_suppression(windows, 0.5)]

    def _found(self, photo: "_SampledPhoto", levels: Sequence[Windows]) -> list[Face]:
        """The faces among the candidates of these levels, best score first."""
        faces = self._decide(photo, self._refine(photo, self._propose(levels)))
        if faces and faces[0].score >= self.sure:
            return [face for face in faces if face.score >= self.sure]
        return faces

    def _propose(self, levels: Sequence[Windows]) -> Boxes:
        """Merge the candidates of all levels, and enlarge them to square windows."""
        windows = np.concatenate([np.zeros((0, 9), np.float32), *levels])
        windows = windows[non_maximum_suppression(windows, 0.7)]
        sides = np.tile(windows[:, 2:4] - windows[:, :2], 2)
        boxes = np.column_stack([windows[:, :4] + windows[:, 5:] * sides, windows[:, 4]])
        return _squared(boxes)

    def _refine(self, photo: "_SampledPhoto", boxes: Boxes) -> Boxes:
        boxes, windows = self._touching(photo, boxes)
        if not len(boxes):
            return boxes
        face, regression = photo.run(self.rnet, windows, 24)
        passed = face > self.thresholds[1]
        boxes = np.column_stack([boxes[passed, :4], face[passed]])
        kept = non_maximum_suppression(boxes, 0.7)
        return _squared(_regressed(boxes[kept], regression[passed][kept]))

    def _decide(self, photo: "_SampledPhoto", boxes: Boxes) -> list[Face]:
        boxes, windows = self._touching(photo, boxes)
        if not len(boxes):
            return []
        face, regression, landmarks = photo.run(self.onet, windows, 48)
        passed = face > self.thresholds[2]
        boxes = np.column_stack([boxes[passed, :4], face[passed]])
        # ONet returns all x and then all y, as shares of the window, whose coordinates start at one.
        shares = landmarks[passed].reshape(-1, 2, 5).transpose(0, 2, 1)
        points = shares * (boxes[:, None, 2:4] - boxes[:, None, :2] + 1) + boxes[:, None, :2] - 1
        boxes = _regressed(boxes, regression[passed])
        return [face_in(boxes[index], points[index]) for index in non_maximum_suppression(boxes, 0.7, within=True)]

    def _touching(self, photo: "_SampledPhoto", boxes: Boxes) -> tuple[Boxes, NDArray[np.int64]]:
        """Return the boxes that overlap the photo, and their windows of whole pixels, int64 (n, 4)."""
        # Coordinates start at one here, as in the authors' Matlab code.
        windows = boxes[:, :4].astype(np.int64) - (1, 1, 0, 0)
        inner = np.column_stack([np.maximum(windows[:, :2], 0), np.minimum(windows[:, 2:], photo.size)])
        touching = (inner[:, 2:] > inner[:, :2]).all(axis=1)
        return boxes[touching], (inner if self.edges == "cut" else windows)[touching]


class _SampledPhoto:
    """A photo with the cached answers of RNet and ONet for its windows.

    Args:
        pixels: uint8 (height, width, 3) RGB.
    """

    def __init__(self, pixels: NDArray[np.uint8]) -> None:
        self.sampler = AreaSampler(pixels)
        self.size = self.sampler.size
        self._answers: dict[tuple[int, bytes], tuple[NDArray[np.float32], ...]] = {}

    def run(self, network: CascadeNetwork, windows: NDArray[np.int64], size: int) -> list[NDArray[np.float32]]:
        """Return the outputs of `network`, which takes windows of `size` pixels, for one or more windows (n, 4)."""
        keys = [(size, window.tobytes()) for window in windows]
        new = [index for index, key in enumerate(keys) if key not in self._answers]
        if new:
            outputs = network(self.sampler.windows(windows[new], size))
            self._answers |= zip((keys[index] for index in new), zip(*outputs, strict=True), strict=True)
        return [np.stack(column) for column in zip(*(self._answers[key] for key in keys), strict=True)]


def non_maximum_suppression(boxes: Boxes, overlap: float, *, within: bool = False) -> NDArray[np.intp]:
    """Indices of the boxes to keep, best score first.

    Boxes are compared in blocks: in a photo of noise, where everything looks like a face, comparing all pairs at once
    would take too much memory.

    Args:
        boxes: (n, 5 or more): left, top, right, bottom, score.
        overlap: a box is dropped if its intersection with a better one is more than this share of their union.
        within: use the smaller of the two areas in place of the union, to also drop a small box inside a better one.
    """
    order = np.argsort(-boxes[:, 4], kind="stable")
    kept: list[np.intp] = []
    while len(order):
        block, order = order[:BLOCK], order[BLOCK:]
        twins, left, best = _overlapping(boxes[block], boxes[block], overlap, within), np.ones(len(block), bool), []
        for index in range(len(block)):
            if left[index]:
                best.append(index)
                left &= ~twins[index]
        kept.extend(block[best])
        if len(order):
            order = order[~_overlapping(boxes[block[best]], boxes[order], overlap, within).any(axis=0)]
    return np.array(kept, dtype=np.intp)


def _overlapping(some: Boxes, others: Boxes, overlap: float, within: bool) -> NDArray[np.bool_]:
    """Whether each of n boxes overlaps each of m others by more than `overlap`, (n, m)."""
    # As in facenet-pytorch, with `within` the last pixel also belongs to a box.
    shared, own, other = _areas(some, others, int(within))
    return np.asarray(shared > overlap * (np.minimum(own, other) if within else own + other - shared))


def _areas(some: Boxes, others: Boxes, edge: int) -> tuple[NDArray[np.float32], ...]:
    """Intersections (n, m) and areas, (n, 1) and (m). A side's length is the difference of its ends plus `edge`."""
    corners = np.maximum(some[:, None, :2], others[:, :2])
    sides = np.maximum(np.minimum(some[:, None, 2:4], others[:, 2:4]) - corners + edge, 0)
    own, other = (boxes[:, 2:4] - boxes[:, :2] + edge for boxes in (some, others))
    return sides[..., 0] * sides[..., 1], (own[:, 0] * own[:, 1])[:, None], other[:, 0] * other[:, 1]


def _smallest_window(pick: Pick, picked: Face, width: int, height: int) -> float:
    """Side of the smallest windows that have to be searched once `picked` is known.

    All of 683 faces (500 portraits, 120 crowds, 9 group photos) were still found with windows of at most 1/1.8 of their
    side, and 95 of 100 with windows of their own side. A face that could replace the picked one is therefore searched
    for in windows of half its side, and a face that would only count in addition, in windows of its own side.
    """
    rival = pick.smallest_rival(picked, width, height)
    return min(rival, picked.side / 2) if pick.rule == "one" else rival / 2


def _windows(face: NDArray[np.float32], regression: NDArray[np.float32], scale: float, least: float) -> Windows:
    """The cells of one level with a probability of at least `least`, in pixels of the photo."""
    rows, columns = np.nonzero(face >= least)
    cells = np.column_stack([columns, rows]).astype(np.float32)
    corner = np.floor((STRIDE * cells + 1) / scale)
    opposite = np.floor((STRIDE * cells + CELL) / scale)
    score = face[rows, columns]
    return np.column_stack([corner, opposite, score, regression[:, rows, columns].T]).astype(np.float32)


def _regressed(boxes: Boxes, regression: NDArray[np.float32]) -> Boxes:
    """Move the edges of boxes by shares of their sides."""
    sides = np.tile(boxes[:, 2:4] - boxes[:, :2] + 1, 2)
    return np.column_stack([boxes[:, :4] + regression * sides, boxes[:, 4]])


def _squared(boxes: Boxes) -> Boxes:
    """Enlarge boxes to squares with the same centres."""
    sides = boxes[:, 2:4] - boxes[:, :2]
    longer = sides.max(axis=1, keepdims=True)
    corner = boxes[:, :2] + (sides - longer) / 2
    return np.column_stack([corner, corner + longer, boxes[:, 4]])
