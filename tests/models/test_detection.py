"""From encoded photos to faces and crops: what a detector replica does around its network."""

from dataclasses import replace
from itertools import accumulate
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from imaging.crops import TEMPLATE, CropSpec, quarter_turns
from imaging.decode import Limits, decode
from imaging.encode import encode_png
from imaging.faces import Face, Photo
from imaging.pick import ALL_FACES, Pick
from imaging.quality import measure
from models import detection
from models.detection import BORDERS, Detector, PhotoDetector
from project.request_error import RequestError

SPOT, SIDE = 200, 8
SMALL, LARGE = CropSpec(SIDE, "box"), CropSpec(16, "square", 2.0)


class Spots(Detector):
    """A detector for which the white spots of a grey photo are faces; the farther left, the higher their scores.

    Args:
        black: share of black rows above the photo that it needs to find anything.
    """

    def __init__(self, black: float = 0) -> None:
        self.black = black
        self.searches: list[tuple[int, ...]] = []

    def detect(self, pixels: NDArray[np.uint8]) -> list[Face]:
        self.searches.append(pixels.shape[:2])
        if np.mean(pixels.max(axis=(1, 2)) == 0) < 2 * self.black:
            return []
        *_, spots, _ = cv2.connectedComponentsWithStats((pixels.min(axis=2) >= SPOT).astype(np.uint8))
        # The first component is the rest of the photo.
        return [self._face(0.9 - number / 10, *spot[:4]) for number, spot in enumerate(sorted(spots[1:].tolist()))]

    @staticmethod
    def _face(score: float, left: int, top: int, width: int, height: int) -> Face:
        right, bottom = left + width, top + height
        landmarks = np.array([[left, top], [right, top]] * 2 + [[right, bottom]], dtype=np.float32)
        return Face((left, top, right, bottom), score, landmarks)


def photo(width: int, height: int, *spots: tuple[int, int], side: int = SIDE) -> bytes:
    """A grey photo with bright spots, each brighter than the one before, as a PNG file."""
    pixels = np.full((height, width, 3), 100, dtype=np.uint8)
    for number, (x, y) in enumerate(spots):
        pixels[y : y + side, x : x + side] = SPOT + 10 * number
    return encode_png(pixels)


def found(answer: Photo | RequestError) -> Photo:
    assert isinstance(answer, Photo)
    return answer


def seen_by(detector: Detector, data: bytes, pick: Pick = ALL_FACES, **limits: int) -> Photo:
    """What is found in one photo."""
    return found(PhotoDetector(detector, Limits(**limits)).one(data, [], pick).photos[0])


def test_photos_are_answered_in_order_and_crops_follow_them() -> None:
    detect = PhotoDetector(Spots(), Limits())
    photos = [photo(60, 40, (10, 10), (30, 20)), photo(50, 50), b"no photo", photo(70, 30, (20, 5))]
    detection = detect(photos, [SMALL, LARGE])
    first, empty, refused, last = detection.photos
    assert [face.box for face in found(first).faces] == [(10, 10, 18, 18), (30, 20, 38, 28)]
    assert found(empty).faces == ()
    assert isinstance(refused, RequestError)
    assert refused.code == "INVALID_IMAGE"
    assert [face.box for face in found(last).faces] == [(20, 5, 28, 13)]
    assert (found(last).width, found(last).height) == (70, 30)
    assert detection.crops[LARGE].shape == (3, 16, 16, 3)
    assert detection.crops[SMALL].mean(axis=(1, 2, 3)).tolist() == [200, 210, 200]
    assert detect(photos, []).crops == {}


@pytest.mark.parametrize("whole", [True, False])
def test_the_whole_photo_counts_as_a_face_if_the_pick_says_so(whole: bool) -> None:
    answer = seen_by(Spots(), photo(60, 40), Pick("prominent", whole_photo=whole))
    assert [(face.score, face.box) for face in answer.faces] == [(0.0, (0, 0, 60, 40))] * whole
    assert answer.found == 0


@pytest.mark.parametrize(
    ("pick", "rival_score", "answered", "counted"),
    [(Pick(most=2), 0.0, [0, 1], 3), (Pick("one"), 0.0, [0], 3), (Pick("one", 0.33), 0.85, [0], 1)],
)
def test_only_picked_faces_are_answered_and_cut_but_every_rival_is_counted(
    pick: Pick, rival_score: float, answered: list[int], counted: int
) -> None:
    spots, places = Spots(), [(5, 5), (20, 5), (40, 5)]
    spots.rival_score = rival_score
    detection = PhotoDetector(spots, Limits())([photo(60, 40, *places)], [SMALL], pick)
    answer = found(detection.photos[0])
    assert ([face.box[:2] for face in answer.faces], answer.found) == ([places[each] for each in answered], counted)
    assert detection.crops[SMALL].mean(axis=(1, 2, 3)).tolist() == [SPOT + 10 * each for each in answered]
    assert len(answer.face_qualities) == len(answered)


@pytest.mark.parametrize("photos", [[], [b"no photo"], [photo(30, 30)]], ids=["no photos", "refused", "no face"])
def test_photos_without_a_face_give_no_crops(photos: list[bytes]) -> None:
    detection = PhotoDetector(Spots(), Limits())(photos, [SMALL])
    assert len(detection.photos) == len(photos)
    assert detection.crops[SMALL].shape == (0, SIDE, SIDE, 3)
    assert detection.crops[SMALL].dtype == np.uint8


def test_faces_are_placed_in_the_photo_as_it_was_sent() -> None:
    spots = Spots()
    detection = PhotoDetector(spots, Limits(max_dimension=100))([photo(400, 200, (100, 40), side=80)], [SMALL])
    answer = found(detection.photos[0])
    assert spots.searches == [(50, 100)]
    assert (answer.width, answer.height) == (400, 200)
    assert answer.faces[0].box == (100, 40, 180, 120)
    assert answer.faces[0].landmarks[4].tolist() == [180, 120]
    assert (detection.crops[SMALL] == SPOT).all()


def test_quality_is_measured_on_the_decoded_photo() -> None:
    data = photo(60, 40, (10, 10))
    assert seen_by(Spots(), data).quality == measure(decode(data, Limits()).pixels)


@pytest.mark.parametrize("searches", [1, 2, 3])
def test_a_face_is_searched_for_again_with_borders_and_placed_without_them(searches: int) -> None:
    shares = [0.0, *(border / (1 + 2 * border) for border in BORDERS)]
    spots = Spots(black=shares[searches - 1] - 0.01)
    [face] = seen_by(spots, photo(400, 400, (40, 240), side=80), max_dimension=500).faces
    assert len(spots.searches) == searches
    assert max(max(shape) for shape in spots.searches) <= 500
    assert face.box == pytest.approx((40, 240, 120, 320), abs=3)
    assert face.landmarks[4] == pytest.approx([120, 320], abs=3)


class Turning(Detector):
    """A detector that finds an upright face, with a given score for each rotation of a photo.

    The photo is black with a white top left corner, which shows how it is rotated.
    """

    sure_score = 0.9
    face = Face((20, 10, 50, 50), 0.0, (TEMPLATE / 4 + (21, 15)).astype(np.float32))

    def __init__(self, *scores: float) -> None:
        self.scores = scores
        self.searches = 0

    def detect(self, pixels: NDArray[np.uint8]) -> list[Face]:
        self.searches += 1
        corners = [pixels[0, 0], pixels[-1, 0], pixels[-1, -1], pixels[0, -1]]
        turns = next((turns for turns, corner in enumerate(corners) if corner.min() == 255), None)
        score = self.scores[turns] if turns is not None else 0.0
        return [replace(self.face, score=score)] if score else []


CORNERED = encode_png(np.pad(np.full((4, 4, 3), 255, np.uint8), ((0, 76), (0, 96), (0, 0))))


@pytest.mark.parametrize(
    ("scores", "turns", "searches"),
    [
        ((0.95, 0.99, 0.99, 0.99), 0, 1),
        ((0.8, 0.95, 0.99, 0.0), 1, 2),
        ((0.8, 0.0, 0.7, 0.99), 3, 4),
        ((0.8, 0.7, 0.88, 0.7), 2, 4),
        ((0.8, 0.7, 0.85, 0.7), 0, 4),
        ((0.8, 0.7, 0.6, 0.5), 0, 4),
        ((0.0, 0.0, 0.95, 0.0), 2, 5),
        ((0.0, 0.8, 0.8, 0.8), None, 6),
    ],
)
def test_a_photo_with_a_doubtful_face_or_none_is_also_searched_rotated(
    scores: tuple[float, ...], turns: int | None, searches: int
) -> None:
    detector = Turning(*scores)
    seen = seen_by(detector, CORNERED, Pick("prominent")).faces
    assert detector.searches == searches
    assert len(seen) == (turns is not None)
    if turns is not None:
        height, width = (80, 100) if turns % 2 == 0 else (100, 80)
        assert seen[0].score == scores[turns]
        assert seen[0].box == detector.face.turned(-turns, width, height).box
        assert quarter_turns(seen[0].landmarks) == turns


@pytest.mark.parametrize("turns", [1, 2, 3])
def test_a_photo_of_a_sideways_face_is_also_searched_rotated_whatever_its_score(turns: int) -> None:
    detector = Turning(0.99, 0.95, 0.95, 0.95)
    detector.face = detector.face.turned(turns, 70, 60)
    seen_by(detector, CORNERED, Pick("prominent"))
    assert detector.searches == 4


class Toppled(Turning):
    """Reports the face of an unrotated photo as sideways."""

    def detect(self, pixels: NDArray[np.uint8]) -> list[Face]:
        found = super().detect(pixels)
        return [face.turned(1, 70, 60) for face in found] if self.searches == 1 else found


def test_a_sure_upright_face_replaces_a_sideways_one_that_scores_more() -> None:
    detector = Toppled(0.99, 0.7, 0.95, 0.99)
    [seen] = seen_by(detector, CORNERED, Pick("prominent")).faces
    assert (detector.searches, seen.score) == (3, 0.95)


def test_the_steps_are_summed_up_over_the_photos(monkeypatch: pytest.MonkeyPatch) -> None:
    decoded, refused = [1, 10, 100, 1000], [1]
    # For every photo, the clock is read once more than the photo has steps.
    times = accumulate(second for steps in (decoded, refused, decoded, refused) for second in (0, *steps))
    monkeypatch.setattr(detection, "time", SimpleNamespace(perf_counter=map(float, times).__next__))
    look = PhotoDetector(Spots(), Limits())
    answers = look([photo(60, 40, (10, 10)), b"no photo", photo(50, 50)], [SMALL])
    assert answers.steps == {"decode": 3, "detect": 20, "crop": 200, "measure": 2000}
    assert [found(answers.photos[place]).seconds for place in (0, 2)] == [1111, 1111]
    assert look([b"no photo"], []).steps == {"decode": 1}
