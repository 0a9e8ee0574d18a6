"""What every flow begins with, over fake stages."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from graphs.batches import BATCH_BYTES, BATCH_FACES
from graphs.extract import Readings, detect, embed, look, places, read, the_face
from graphs.stages import Stages
from imaging.crops import CropSpec
from imaging.faces import Detection, Photo
from imaging.pick import Pick
from imaging.refused import Refused
from telemetry.timing import recording
from tests.fakes import (
    ANGLES,
    EMBEDDER_CROP,
    LIVENESS_CROP,
    FakeDetector,
    FakeNetwork,
    People,
    crops_of,
    direction,
    photo,
    stages,
    unit,
)

DAMAGED = Refused("INVALID_IMAGE", "It is damaged")
THREE = photo(faces=[0.9, 0.8, 0.7])
ALL, ONE, LARGEST = Pick(), Pick("one"), Pick("largest")


def readings(of: Stages, faces: Sequence[int], liveness: bool = True, embedder: bool = True) -> Readings:
    """What the networks say of some of the five faces of three photos, one of which is none."""
    crops = {spec: np.stack([crops_of(n, spec) for n in range(5)]) for spec in (LIVENESS_CROP, EMBEDDER_CROP)}
    detection = Detection((THREE, DAMAGED, photo(faces=[0.6, 0.5])), crops)
    networks = of.liveness["crmnet"] if liveness else None, of.embedders["arcface"] if embedder else None
    return asyncio.run(read(detection, faces, *networks))


def test_the_detector_is_asked_for_each_crop_once() -> None:
    whole, detector = stages(), FakeDetector(photo())
    of = stages(detector)
    liveness = replace(whole.liveness["crmnet"], crops=(EMBEDDER_CROP, CropSpec(8, "inside", 2.7), EMBEDDER_CROP))
    asyncio.run(detect(of.detectors["mtcnn"], [b"it"], ALL, liveness, None, whole.embedders["arcface"]))
    assert detector.calls == [([b"it"], [EMBEDDER_CROP, CropSpec(8, "inside", 2.7)])]


@pytest.mark.parametrize(("size", "calls"), [(BATCH_BYTES // 2, 2), (BATCH_BYTES // 3, 1), (BATCH_BYTES, 3)])
def test_photos_that_are_too_large_together_are_sent_in_several_calls(size: int, calls: int) -> None:
    people = People()
    photos = [name.encode().ljust(size) for name in ("anna", "bob", "carl")]
    found = asyncio.run(detect(people.stages().detectors["mtcnn"], photos, ALL))
    assert (len(people.detected), len(found.photos)) == (calls, 3)


def test_no_more_faces_are_cut_than_fit_into_an_answer_and_all_are_counted() -> None:
    people = People()
    of = people.stages()
    # Of these crops two faces fit.
    side = int((BATCH_BYTES / 3 / 2) ** 0.5)
    embedder = replace(of.embedders["arcface"], crops=(CropSpec(side, "aligned"),))
    photos = [b"anna bob carl", b"dora"]
    found = asyncio.run(detect(of.detectors["mtcnn"], photos, ALL, embedder))
    assert [(len(photo.faces), photo.found) for photo in found.photos if isinstance(photo, Photo)] == [(2, 3), (1, 1)]
    assert len(people.detected) == 2
    assert [len(crops) for crops in found.crops.values()] == [3]


def test_the_networks_are_asked_about_so_many_faces_a_call() -> None:
    faces = [number % 5 for number in range(2 * BATCH_FACES + 1)]
    people = People()
    of = people.stages()
    words = ["anna", "bob", "carl", "dora", "anne"]
    detection = asyncio.run(detect(of.detectors["mtcnn"], [" ".join(words).encode()], ALL, of.embedders["arcface"]))
    found = asyncio.run(read(detection, faces, None, of.embedders["arcface"]))
    assert [len(call) for call in people.embedded] == [BATCH_FACES, BATCH_FACES, 1]
    expected = [direction(ANGLES[words[face]]) for face in faces]
    assert found.embeddings is not None
    np.testing.assert_allclose(found.embeddings, expected, atol=1e-6)


def test_what_was_found_is_noted() -> None:
    of = stages(FakeDetector(THREE, DAMAGED, photo(faces=[])))
    with recording(0.0) as recorder:
        asyncio.run(detect(of.detectors["mtcnn"], [b"a", b"b", b"c"], ALL))
    assert +recorder.outcomes == {("photo", "decoded"): 2, ("face", "found"): 3, ("photo", "INVALID_IMAGE"): 1}


def test_without_networks_no_crop_is_cut() -> None:
    detector = FakeDetector(photo())
    asyncio.run(detect(stages(detector).detectors["mtcnn"], [b"it"], ALL, None, None))
    assert detector.calls == [([b"it"], [])]


def test_the_detector_is_told_which_faces_count() -> None:
    looks = FakeDetector(photo())
    of = stages(looks, embed=FakeNetwork(unit(1)[:1]))
    detector, embedder = of.detectors["mtcnn"], of.embedders["arcface"]
    asyncio.run(embed(detector, embedder, b"it", LARGEST))
    asyncio.run(look(detector, None, None, b"it", ONE))
    asyncio.run(detect(detector, [b"it"], ALL))
    assert looks.picks == [LARGEST, ONE, ALL]


def test_places_count_the_faces_of_all_photos_and_none_of_a_refused_one() -> None:
    assert places(Detection((), {})) == []
    counted = places(Detection((THREE, DAMAGED, photo(faces=[]), photo(faces=[0.6, 0.5])), {}))
    assert [list(place) for place in counted] == [[0, 1, 2], [], [], [3, 4]]


def test_the_networks_see_the_chosen_faces_alone_in_the_order_asked_for() -> None:
    score, embed = FakeNetwork([0.25, 0.75]), FakeNetwork(unit(0.5))
    found = readings(stages(score=score, embed=embed), [4, 1])
    for network, spec in ((score, LIVENESS_CROP), (embed, EMBEDDER_CROP)):
        [[given]] = network.calls
        np.testing.assert_array_equal(given, [crops_of(4, spec), crops_of(1, spec)])
    assert found.live is not None
    assert found.embeddings is not None
    assert found.live.tolist() == [0.25, 0.75]
    np.testing.assert_array_equal(found.embeddings, np.array(unit(0.5), np.float32))
    assert found.seconds > 0


def test_a_network_that_is_not_asked_says_nothing() -> None:
    score, embed = FakeNetwork([0.25]), FakeNetwork(unit(1)[:1])
    of = stages(score=score, embed=embed)
    assert readings(of, [0], embedder=False).embeddings is None
    assert embed.calls == []
    assert readings(of, [0], liveness=False).live is None
    assert len(score.calls) == 1


def test_without_faces_no_network_is_asked() -> None:
    score, embed = FakeNetwork([0.25]), FakeNetwork(unit(1))
    found = readings(stages(score=score, embed=embed), [])
    assert (score.calls, embed.calls) == ([], [])
    assert found.live is not None
    assert found.embeddings is not None
    assert (found.live.tolist(), found.embeddings.tolist()) == ([], [])


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize("stage", ["liveness", "embedder"])
def test_what_is_no_number_is_a_fault_that_names_the_network(stage: str, value: float) -> None:
    of = stages(
        score=FakeNetwork([value if stage == "liveness" else 0.5]),
        embed=FakeNetwork([[1.0, value if stage == "embedder" else 0.0]]),
    )
    with pytest.raises(ValueError, match=f"{stage}-model gave what is not finite"):
        readings(of, [0])


@pytest.mark.parametrize(("most", "count"), [(1, 1), (2, 2), (3, 3), (9, 3)])
def test_a_look_is_at_the_best_faces(most: int, count: int) -> None:
    score, embed = FakeNetwork([0.5] * count), FakeNetwork([[1.0, 0.0]] * count)
    of = stages(FakeDetector(THREE), score, embed)
    seen = asyncio.run(
        look(of.detectors["mtcnn"], of.liveness["crmnet"], of.embedders["arcface"], b"it", Pick(most=most))
    )
    assert seen.photo.found == 3
    assert [face.score for face in seen.photo.faces] == [0.9, 0.8, 0.7][:count]
    [[given]] = embed.calls
    np.testing.assert_array_equal(given, [crops_of(number, EMBEDDER_CROP) for number in range(count)])
    assert seen.readings.live is not None
    assert len(seen.readings.live) == count


def test_a_look_at_nobody_asks_no_network() -> None:
    score, embed = FakeNetwork([]), FakeNetwork([])
    of = stages(FakeDetector(photo(faces=[])), score, embed)
    seen = asyncio.run(look(of.detectors["mtcnn"], of.liveness["crmnet"], of.embedders["arcface"], b"it", ALL))
    assert seen.photo.faces == ()
    assert (score.calls, embed.calls) == ([], [])


def test_a_photo_that_is_none_is_refused() -> None:
    network = FakeNetwork([])
    of = stages(FakeDetector(DAMAGED), embed=network)
    detector, embedder = of.detectors["mtcnn"], of.embedders["arcface"]
    with pytest.raises(Refused, match="It is damaged"):
        asyncio.run(look(detector, None, embedder, b"it", ALL))
    with pytest.raises(Refused, match="It is damaged"):
        asyncio.run(embed(detector, embedder, b"it", LARGEST))
    assert network.calls == []


def test_several_faces_are_not_looked_at_where_there_should_be_one() -> None:
    network = FakeNetwork([])
    of = stages(FakeDetector(THREE), embed=network)
    with pytest.raises(Refused, match="MULTIPLE_FACES_DETECTED"):
        asyncio.run(look(of.detectors["mtcnn"], None, of.embedders["arcface"], b"it", ONE))
    assert network.calls == []


def test_the_face_that_counts_is_the_first() -> None:
    assert the_face(photo(faces=[0.9]), ONE).score == 0.9
    assert the_face(THREE, ALL) is THREE.faces[0]


@pytest.mark.parametrize("pick", [ONE, LARGEST, ALL], ids=lambda pick: pick.rule)
def test_a_photo_without_a_face_has_none_that_counts(pick: Pick) -> None:
    with pytest.raises(Refused, match="NO_FACE_DETECTED"):
        the_face(photo(faces=[]), pick)


def test_a_photo_of_several_faces_is_refused_with_their_number_where_there_should_be_one() -> None:
    with pytest.raises(Refused) as caught:
        the_face(replace(THREE, found=4), ONE)
    assert caught.value.code == "MULTIPLE_FACES_DETECTED"
    assert caught.value.message == "Multiple faces detected (4). Exactly one face is required"
