"""The flow of POST /match over fake stages."""

import asyncio
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from graphs.match import match
from graphs.policy import Policy
from graphs.stages import Stages
from graphs.verify import Verification
from imaging.crops import CropSpec
from imaging.faces import Photo, Pixels
from imaging.refused import Refused
from tests.fakes import EMBEDDER_CROP, LIVENESS_CROP, FakeDetector, FakeNetwork, crops_of, photo, stages, unit

PAIR = (b"the first photo", b"the second photo")
POLICY = Policy(min_side=224, min_brightness=20, max_brightness=240, min_contrast=10)


def run(of: Stages, policy: Policy = POLICY) -> Verification:
    flow = match(of.detectors["mtcnn"], of.liveness["crmnet"], of.embedders["arcface"], PAIR, policy)
    return asyncio.run(flow)


def refusal(first: Photo | Refused, second: Photo | Refused, policy: Policy = POLICY) -> tuple[str, str]:
    """Code and message with which a pair is refused, before any network but the detector is asked."""
    score, embed = FakeNetwork([0.9, 0.9]), FakeNetwork(unit(1))
    with pytest.raises(Refused) as caught:
        run(stages(FakeDetector(first, second), score, embed), policy)
    assert score.calls == []
    assert embed.calls == []
    return caught.value.code, caught.value.message


def crops(*faces: int, spec: CropSpec) -> Pixels:
    return np.stack([crops_of(face, spec) for face in faces])


def test_what_is_found() -> None:
    first, second = photo(seconds=1), photo(seconds=2)
    found = run(stages(FakeDetector(first, second), FakeNetwork([0.75, 0.25]), FakeNetwork([[1, 0], [0, 1]])))
    assert found.photos == (first, second)
    assert found.live == (0.75, 0.25)
    assert found.embeddings.tolist() == [[1, 0], [0, 1]]
    assert (found.distances.cosine, found.distances.manhattan) == (0, 2)


def test_the_detector_is_asked_once_for_both_photos_and_just_the_crops_that_are_wanted() -> None:
    detector = FakeDetector(photo(), photo())
    run(stages(detector))
    assert detector.calls == [(list(PAIR), [LIVENESS_CROP, EMBEDDER_CROP])]


def test_each_network_is_asked_once_with_its_own_crop_of_both_faces_in_order() -> None:
    score, embed = FakeNetwork([0.9, 0.9]), FakeNetwork(unit(1))
    run(stages(score=score, embed=embed))
    for network, spec in ((score, LIVENESS_CROP), (embed, EMBEDDER_CROP)):
        [[given]] = network.calls
        np.testing.assert_array_equal(given, crops(0, 1, spec=spec))


def test_a_network_of_two_crops_gets_both_in_its_cards_order() -> None:
    near, far = CropSpec(8, "inside", 2.7), CropSpec(10, "inside", 4.0)
    detector, score = FakeDetector(photo(), photo()), FakeNetwork([0.9, 0.9])
    whole = stages(detector, score)
    run(replace(whole, liveness={"crmnet": replace(whole.liveness["crmnet"], crops=(near, far))}))
    assert detector.calls[0][1] == [near, far, EMBEDDER_CROP]
    [[first, second]] = score.calls
    np.testing.assert_array_equal(first, crops(0, 1, spec=near))
    np.testing.assert_array_equal(second, crops(0, 1, spec=far))


def test_liveness_and_embedding_run_side_by_side() -> None:
    both = asyncio.Barrier(2)

    async def meeting(network: FakeNetwork, given: Pixels) -> NDArray[np.float32]:
        async with asyncio.timeout(5), both:
            return await network(given)

    whole = stages()
    score, embed = FakeNetwork([0.9, 0.9]), FakeNetwork(unit(1))
    liveness = replace(whole.liveness["crmnet"], score=lambda given: meeting(score, given))
    embedder = replace(whole.embedders["arcface"], embed=lambda given: meeting(embed, given))
    run(replace(whole, liveness={"crmnet": liveness}, embedders={"arcface": embedder}))
    assert len(score.calls) == len(embed.calls) == 1


@pytest.mark.parametrize("stage", ["score", "embed"])
def test_a_networks_fault_is_the_flows(stage: str) -> None:
    fault: Any = FakeNetwork(RuntimeError("broken"))
    with pytest.raises(RuntimeError, match="broken"):
        run(stages(**{stage: fault}))


@pytest.mark.parametrize(
    ("found", "code", "reason"),
    [
        (Refused("INVALID_IMAGE", "It is damaged"), "INVALID_IMAGE", "could not be loaded: It is damaged"),
        (Refused("IMAGE_TOO_LARGE", "It is big"), "IMAGE_TOO_LARGE", "could not be loaded: It is big"),
        (photo(100, 80), "LOW_QUALITY", "quality issue: Image too small: 100x80. Minimum size: 224x224"),
        (photo(223, 500), "LOW_QUALITY", "quality issue: Image too small: 223x500. Minimum size: 224x224"),
        (photo(500, 223), "LOW_QUALITY", "quality issue: Image too small: 500x223. Minimum size: 224x224"),
        (photo(brightness=19.94), "LOW_QUALITY", "quality issue: Image too dark: brightness 19.9. Minimum: 20"),
        (photo(brightness=240.1), "LOW_QUALITY", "quality issue: Image too bright: brightness 240.1. Maximum: 240"),
        (photo(contrast=9.5), "LOW_QUALITY", "quality issue: Image contrast too low: 9.5. Minimum: 10"),
        (photo(faces=[]), "NO_FACE_DETECTED", "face detection failed: No face detected"),
        (
            photo(faces=[0.9, 0.8, 0.7]),
            "MULTIPLE_FACES_DETECTED",
            "face detection failed: Multiple faces detected (3). Exactly one face is required",
        ),
    ],
)
def test_a_photo_that_cannot_be_used_is_refused_by_name(found: Photo | Refused, code: str, reason: str) -> None:
    assert refusal(found, photo()) == (code, f"Image1 {reason}")
    assert refusal(photo(), found) == (code, f"Image2 {reason}")


def test_of_two_photos_that_cannot_be_used_the_first_is_named() -> None:
    assert refusal(photo(faces=[]), photo(100, 80))[1].startswith("Image1 face")
    assert refusal(photo(100, 80), Refused("INVALID_IMAGE", "It is damaged"))[1].startswith("Image1 quality")


def test_a_photo_that_is_too_small_is_called_so_whatever_was_found_in_it() -> None:
    assert refusal(photo(100, 80, brightness=1, faces=[]), photo())[0] == "LOW_QUALITY"


@pytest.mark.parametrize("found", [photo(224, 224), photo(brightness=20), photo(brightness=240), photo(contrast=10)])
def test_a_photo_exactly_at_a_bound_is_used(found: Photo) -> None:
    assert run(stages(FakeDetector(found, found))).photos == (found, found)


@pytest.mark.parametrize(
    ("found", "issue"),
    [
        (photo(640, 599), "Image too small: 640x599. Minimum size: 600x600"),
        (photo(800, 600, brightness=129), "Image too dark: brightness 129.0. Minimum: 130"),
        (photo(800, 600, brightness=151), "Image too bright: brightness 151.0. Maximum: 150"),
        (photo(800, 600, brightness=140, contrast=60), "Image contrast too low: 60.0. Minimum: 60.5"),
    ],
)
def test_the_bounds_are_the_policys(found: Photo, issue: str) -> None:
    strict = Policy(min_side=600, min_brightness=130, max_brightness=150, min_contrast=60.5)
    assert refusal(found, photo(), strict) == ("LOW_QUALITY", f"Image1 quality issue: {issue}")
