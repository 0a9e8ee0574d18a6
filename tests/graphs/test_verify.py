"""Comparisons over fake models, and which subjects a search matches."""

import numpy as np
import pytest

from gallery.records import Hit
from graphs.identify import SearchDecision
from graphs.verify import Verification, naming, verify
from graphs.verify_many import PhotoComparison, verify_many
from imaging.pick import Pick
from project.request_error import RequestError
from tests.fakes import EMBEDDER_CROP, People, crops_of

LARGEST = Pick("largest")


async def run(people: People, first: str, second: str, pick: Pick = LARGEST) -> Verification:
    stages = people.stages()
    embedder, liveness = stages.networks["arcface"], stages.networks["crmnet"]
    pair, check = (first.encode(), second.encode()), naming(("one", "two"), pick)
    return await verify(stages.detectors["mtcnn"], embedder, [liveness], pair, pick, check)


def live(found: Verification) -> list[float]:
    return [float(face.readings["crmnet"][0]) for face in found.faces]


async def test_only_the_picked_faces_are_compared() -> None:
    people = People()
    found = await run(people, "anna bob-large carl", "dora anne-large")
    assert people.detected == [["anna bob-large carl", "dora anne-large"]]
    assert people.scored == people.embedded == [["bob-large", "anne-large"]]
    assert people.picks == [LARGEST]
    assert [(len(face.photo.faces), face.index) for face in found.faces] == [(1, 0), (1, 0)]


async def test_with_the_rule_all_the_two_most_similar_faces_are_compared() -> None:
    people = People()
    found = await run(people, "bob anna", "carl dora-spoof anne", pick=Pick())
    assert people.embedded == [["bob", "anna", "carl", "dora-spoof", "anne"]]
    assert [face.index for face in found.faces] == [1, 2]
    assert found.distances.cosine == pytest.approx(0.94, abs=0.001)
    assert live(found) == [0.875, 0.875]
    for face, number in zip(found.faces, (1, 4), strict=True):
        np.testing.assert_array_equal(face.crop, [crops_of(number, EMBEDDER_CROP)])


@pytest.mark.parametrize(
    ("pair", "refusal"),
    [
        (("broken", "anna"), "INVALID_IMAGE: one: The image is damaged"),
        (("anna", "faceless"), "NO_FACE_DETECTED: two: No face detected"),
        (("anna", "anna bob"), "MULTIPLE_FACES_DETECTED: two: Multiple faces detected"),
    ],
)
async def test_a_refusal_begins_with_the_photos_name_and_no_network_is_asked(
    pair: tuple[str, str], refusal: str
) -> None:
    people = People()
    with pytest.raises(RequestError, match=refusal):
        await run(people, *pair, pick=Pick("one"))
    assert people.scored == people.embedded == []


async def run_many(people: People, reference: str, *photos: str, pick: Pick = LARGEST) -> list[float | str]:
    """The similarity of each photo to the reference, or the code of its refusal."""
    stages = people.stages()
    embedder, liveness = stages.networks["arcface"], stages.networks["crmnet"]
    encoded = [photo.encode() for photo in photos]
    found = await verify_many(stages.detectors["mtcnn"], embedder, [liveness], reference.encode(), encoded, pick)
    return [
        round(each.distances.cosine, 2) if isinstance(each, PhotoComparison) else each.code for each in found.photos
    ]


async def test_a_photo_that_cannot_be_compared_fails_alone_and_in_its_place() -> None:
    photos = "anna-2", "broken", "bob", "faceless", "anne", "anna bob"
    assert await run_many(People(), "anna", *photos, pick=Pick("one")) == [
        *(1.0, "INVALID_IMAGE", 0.0, "NO_FACE_DETECTED", 0.94, "MULTIPLE_FACES_DETECTED")
    ]


async def test_with_the_rule_all_each_photos_most_similar_face_is_compared_with_the_prominent_one() -> None:
    assert await run_many(People(), "anna-large bob", "carl anne", "bob", pick=Pick()) == [0.94, 0.0]


@pytest.mark.parametrize(
    ("reference", "refusal"),
    [
        ("faceless", "NO_FACE_DETECTED: reference: No face"),
        ("anna bob", "MULTIPLE_FACES_DETECTED: reference: Multiple"),
    ],
)
async def test_a_reference_that_cannot_be_compared_is_an_error_before_the_others_are_examined(
    reference: str, refusal: str
) -> None:
    people = People()
    with pytest.raises(RequestError, match=refusal):
        await run_many(people, reference, "anna", pick=Pick("one"))
    assert people.detected == [[reference]]


@pytest.mark.parametrize(
    ("similarities", "min_margin", "candidates", "margin", "no_match"),
    [
        ([], 0.5, 0, None, "below_threshold"),
        ([0.75], 2, 1, None, None),
        ([0.75, 0.5, 0.25], None, 2, 0.25, None),
        ([0.75, 0.5, 0.5], 0.25, 2, 0.25, None),
        ([0.75, 0.625], 0.25, 0, 0.125, "below_min_margin"),
        ([0.75, 0.25], 0.25, 1, 0.5, None),
        ([0.25, 0.25], 0.25, 0, 0, "below_threshold"),
    ],
)
def test_a_search_matches_above_the_threshold_and_the_minimum_margin(
    similarities: list[float], min_margin: float | None, candidates: int, margin: float | None, no_match: str | None
) -> None:
    hits = [Hit(str(number), "", similarity) for number, similarity in enumerate(similarities)]
    decision = SearchDecision.of(hits, 2, 0.5, min_margin)
    assert ([*decision.candidates], decision.margin, decision.no_match) == (hits[:candidates], margin, no_match)
