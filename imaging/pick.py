"""Which faces of a photo count."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from imaging.faces import Face

FaceRule: TypeAlias = Literal["one", "largest", "prominent", "all"]

MAX_FACES_ANSWERED = 100
"""Maximum number of faces in a response. `Photo.found` counts all of them."""


@dataclass(frozen=True, slots=True)
class Pick:
    """Which faces of a photo count. It is sent to the detector, which can skip work for other faces.

    Attributes:
        rule: ``all``: every face, best score first. ``largest``: the face with the largest box. ``prominent``: the face
            with the greatest `prominence`. ``one``: the largest face; callers reject a photo if others count too.
        other_faces: with ``one``, the minimum side of another face that counts, as a fraction of the largest face's.
            0 counts every face.
        most: with ``all``, maximum number of faces to crop and return; the others are only counted.
        whole_photo: whether the whole photo is used as a face with score 0 if none is found.
    """

    rule: FaceRule = "all"
    other_faces: float = 0.0
    most: int = MAX_FACES_ANSWERED
    whole_photo: bool = False

    @property
    def cut(self) -> int:
        """Maximum number of faces of a photo to crop and return."""
        return self.most if self.rule == "all" else 1

    def of(self, faces: Sequence[Face], width: int, height: int, rival_score: float = 0.0) -> list[Face]:
        """Return the faces that count among `faces`, which are sorted by score.

        Args:
            width, height: size of the photo in the pixels of the boxes.
            rival_score: if a face scores at least this, faces that score less are ignored, unless all faces count.
        """
        if not faces or self.rule == "all":
            return list(faces)
        strict = self.rule == "one" and self.other_faces == 0
        believed = [face for face in faces if strict or face.score >= rival_score] or faces
        if self.rule == "prominent":
            return [max(believed, key=lambda face: prominence(face, width, height))]
        largest = max(believed, key=lambda face: face.side)
        if self.rule == "largest":
            return [largest]
        smallest = self.other_faces * largest.side
        return [largest, *(face for face in believed if face is not largest and face.side >= smallest)]

    def smallest_rival(self, picked: Face, width: int, height: int) -> float:
        """Return the side in pixels of the smallest face that could replace `picked` or count in addition to it."""
        match self.rule:
            case "all":
                return 0.0
            case "one":
                return picked.side * min(self.other_faces, 1.0)
            case "largest":
                return picked.side
            case "prominent":
                # The prominence of a face in the centre of the photo is its area.
                return math.sqrt(max(prominence(picked, width, height), 0.0))


ALL_FACES, PROMINENT = Pick(), Pick("prominent")


def prominence(face: Face, width: int, height: int) -> float:
    """Return the area of the box minus twice the squared distance of its centre from the photo's, in square pixels.

    A face at the edge must be much larger to be chosen instead of one in the centre. The rule is from Sandberg's
    facenet (`align_dataset_mtcnn.py`), which uses it to choose the faces of Labeled Faces in the Wild.
    """
    left, top, right, bottom = face.box
    x, y = (left + right - width) / 2, (top + bottom - height) / 2
    return face.area - 2 * (x * x + y * y)
