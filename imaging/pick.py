"""Which faces of a photo count."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from imaging.faces import Face

FaceRule: TypeAlias = Literal["one", "largest", "prominent", "all"]

MOST_FACES_ANSWERED = 100
"""Most faces of a photo that any answer describes; an answer counts all of them."""


@dataclass(frozen=True, slots=True)
class Pick:
    """The one rule for which faces of a photo count. It travels to the detector, which need not look for others.

    Attributes:
        rule: ``all``: every face, best score first; ``largest``: the face with the largest box; ``prominent``: the
            face with the greatest `prominence`; ``one``: the largest face, and the others that count beside it, of
            which there should be none.
        other_faces: with ``one``, the smallest side of another face that counts, as a share of the largest face's
            side. 0 counts every face.
        most: largest number of faces to cut out and answer; with ``one`` the others are only counted.
        whole_photo: whether the whole photo stands in for a face where none was found, with the score 0.
    """

    rule: FaceRule = "all"
    other_faces: float = 0.0
    most: int = MOST_FACES_ANSWERED
    whole_photo: bool = False

    @property
    def cut(self) -> int:
        """Most faces of a photo that are cut out and answered."""
        return self.most if self.rule == "all" else 1

    def of(self, faces: Sequence[Face], width: int, height: int, rival_score: float = 0.0) -> list[Face]:
        """The faces that count among `faces`, which are sorted by score.

        Args:
            width, height: of the photo, in the pixels of the boxes.
            rival_score: once a face scores at least this, faces that score less are ignored, unless all faces count.
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
        """Side in pixels of the smallest face that could replace `picked`, or be counted beside it."""
        match self.rule:
            case "all":
                return 0.0
            case "one":
                return picked.side * min(self.other_faces, 1.0)
            case "largest":
                return picked.side
            case "prominent":
                # In the middle of the photo a face is as prominent as its area.
                return math.sqrt(max(prominence(picked, width, height), 0.0))


ALL_FACES, PROMINENT = Pick(), Pick("prominent")


def prominence(face: Face, width: int, height: int) -> float:
    """Area of the box minus twice the squared distance of its centre from the photo's, in square pixels.

    The rule by which facenet's authors choose a face for Labeled Faces in the Wild (Sandberg's facenet,
    `align_dataset_mtcnn.py`): a bystander at the edge must be much larger to be preferred to a face in the middle.
    """
    left, top, right, bottom = face.box
    x, y = (left + right - width) / 2, (top + bottom - height) / 2
    return face.area - 2 * (x * x + y * y)
