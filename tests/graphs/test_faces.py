"""Finding faces and asking networks about them, over fake stages."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from deployments.transport import SWITCHES
from graphs.batches import BATCH_BYTES, BATCH_FACES, LARGEST_PHOTO, crop_bytes, split_by_size
from graphs.faces import Examination, ExaminedPhoto, every_face, faces, faces_of, the_face
from graphs.stages import FaceCrops, Stages
from imaging.crops import CropSpec
from imaging.faces import Photo
from imaging.pick import Pick
from models.catalogue import cards
from project.request_error import RequestError
from telemetry.request_record import recording
from tests.fakes import (
    ANGLES,
    EMBEDDER_CROP,
    LIVENESS_CROP,
    FakeDetector,
    FakeNetwork,
    People,
    changed,
    crops_of,
    direction,
    photo,
    stages,
    unit,
)
from tests.waiting import TIMEOUT_S

DAMAGED = RequestError("INVALID_IMAGE", "It is damaged")
THREE = photo(faces=[0.9, 0.8, 0.7])
ALL, ONE, LARGEST = Pick(), Pick("one"), Pick("largest")


async def run(of: Stages, photos: Sequence[bytes], *roles: str, pick: Pick = ALL, **options: Any) -> Examination:
    networks = [of.networks[role] for role in roles]
    return await faces(of.detectors["mtcnn"], photos, pick, networks, **options)


def examined(found: Examination) -> list[ExaminedPhoto]:
    return [each for each in found.photos if isinstance(each, ExaminedPhoto)]


async def test_the_detector_is_asked_once_and_for_each_crop_only_once() -> None:
    detector = FakeDetector(photo())
    of = stages(detector, FakeNetwork([0.5]), FakeNetwork(unit(1)[:1]))
    far = CropSpec(8, "inside", 2.7)
    two = changed(of.networks["crmnet"], crops=(EMBEDDER_CROP, far))
    await faces(of.detectors["mtcnn"], [b"it"], LARGEST, [two, of.networks["arcface"]])
    assert detector.calls == [([b"it"], [EMBEDDER_CROP, far])]
    assert detector.picks == [LARGEST]


@pytest.mark.parametrize(("size", "calls"), [(BATCH_BYTES // 2, 2), (BATCH_BYTES // 3, 1), (BATCH_BYTES, 3)])
async def test_photos_that_are_too_large_together_are_sent_in_several_calls(size: int, calls: int) -> None:
    people = People()
    names, numbers = ("anna", "bob", "carl"), list[int]()

    def select(number: int, found: Photo | RequestError) -> Sequence[int]:
        numbers.append(number)
        return every_face(number, found)

    found = await run(people.stages(), [name.encode().ljust(size) for name in names], "arcface", select=select)
    assert (len(people.detected), numbers) == (calls, [0, 1, 2])
    for name, each in zip(names, examined(found), strict=True):
        np.testing.assert_allclose(each.readings["arcface"], [direction(ANGLES[name])], atol=1e-6)


@pytest.mark.parametrize(("room", "asked"), [(2, 2), (0.5, 1)])
async def test_only_faces_that_fit_into_an_answer_are_cropped_but_all_are_counted(room: float, asked: int) -> None:
    people = People()
    of = people.stages()
    # `room` crops of this side fit into an answer, but one is always cropped.
    side = int((BATCH_BYTES / 3 / room) ** 0.5)
    embedder = changed(of.networks["arcface"], crops=(CropSpec(side, "aligned"),))
    found = await faces(of.detectors["mtcnn"], [b"anna bob carl", b"dora"], ALL, [embedder])
    assert [(len(each.asked), each.photo.found) for each in examined(found)] == [(asked, 3), (1, 1)]
    assert len(people.detected) == 2


async def test_the_networks_are_asked_about_a_bounded_number_of_faces_at_a_time() -> None:
    words = ["anna", "bob", "carl", "dora", "anne"] * (2 * BATCH_FACES // 5 + 1)
    people = People()
    pick = Pick(most=2 * BATCH_FACES + 1)
    [seen] = examined(await run(people.stages(), [" ".join(words).encode()], "arcface", pick=pick))
    assert [len(call) for call in people.embedded] == [BATCH_FACES, BATCH_FACES, 1]
    expected = [direction(ANGLES[word]) for word in words[: pick.most]]
    np.testing.assert_allclose(seen.readings["arcface"], expected, atol=1e-6)


async def test_photos_and_faces_are_counted() -> None:
    of = stages(FakeDetector(THREE, DAMAGED, photo(faces=[])))
    with recording(0.0) as recorder:
        await run(of, [b"a", b"b", b"c"])
    assert +recorder.outcomes == {("photo", "decoded"): 2, ("face", "found"): 3, ("photo", "INVALID_IMAGE"): 1}


async def test_the_networks_get_only_the_selected_faces_in_their_order() -> None:
    score, embed = FakeNetwork([0.25, 0.75, 0.5]), FakeNetwork([*unit(0.5), [0, 1]])
    of = stages(FakeDetector(THREE, DAMAGED, photo(faces=[0.6, 0.5])), score, embed)
    chosen: dict[int, list[int]] = {0: [2, 0], 1: [], 2: [1]}
    found = await run(
        of,
        [b"a", b"b", b"c"],
        "crmnet",
        "arcface",
        select=lambda number, _: chosen[number],
        keep_crops_of=of.networks["arcface"],
    )
    for network, spec in ((score, LIVENESS_CROP), (embed, EMBEDDER_CROP)):
        [[given]] = network.calls
        np.testing.assert_array_equal(given, [crops_of(number, spec) for number in (2, 0, 4)])
    first, second = examined(found)
    assert (first.asked, second.asked) == ((2, 0), (1,))
    assert first.readings["crmnet"].tolist() == [0.25, 0.75]
    assert second.readings["crmnet"].tolist() == [0.5]
    assert first.crops is not None
    np.testing.assert_array_equal(first.crops, [crops_of(2, EMBEDDER_CROP), crops_of(0, EMBEDDER_CROP)])
    assert found.photos[1] is DAMAGED
    assert found.seconds > 0


async def test_the_networks_run_concurrently() -> None:
    both = asyncio.Barrier(2)

    async def meeting(question: FaceCrops) -> NDArray[np.float32]:
        async with asyncio.timeout(TIMEOUT_S), both:
            return np.zeros((1, 2), np.float32)

    of = stages(FakeDetector(photo()))
    networks = [changed(network, meeting) for network in of.networks.values()]
    found = await faces(of.detectors["mtcnn"], [b"it"], ALL, networks)
    assert examined(found)[0].readings.keys() == {"crmnet", "arcface"}


async def test_a_failure_cancels_the_calls_of_the_other_networks() -> None:
    asked, cancelled = asyncio.Event(), asyncio.Event()

    async def endless(question: FaceCrops) -> NDArray[np.float32]:
        asked.set()
        try:
            return await asyncio.Future()
        finally:
            cancelled.set()

    async def failing(question: FaceCrops) -> NDArray[np.float32]:
        await asked.wait()
        raise RequestError("UNAVAILABLE", "The stage is not available")

    of = stages(FakeDetector(photo()))
    networks = [changed(of.networks["crmnet"], endless), changed(of.networks["arcface"], failing)]
    with pytest.raises(RequestError, match="UNAVAILABLE"):
        await faces(of.detectors["mtcnn"], [b"it"], ALL, networks)
    assert cancelled.is_set()


async def test_without_faces_no_network_is_asked_and_its_reading_is_empty() -> None:
    score, embed = FakeNetwork([0.25]), FakeNetwork(unit(1))
    found = await run(stages(FakeDetector(photo(faces=[])), score, embed), [b"it"], "crmnet", "arcface")
    assert (score.calls, embed.calls) == ([], [])
    shapes = {role: reading.shape for role, reading in examined(found)[0].readings.items()}
    assert shapes == {"crmnet": (0,), "arcface": (0, 2)}


@pytest.mark.parametrize("value", [float("nan"), float("-inf")])
async def test_an_answer_that_is_not_finite_is_an_error_that_names_the_network(value: float) -> None:
    of = stages(FakeDetector(photo()), embed=FakeNetwork([[1.0, value]]))
    with pytest.raises(ValueError, match="embedder-model returned numbers that are not finite"):
        await run(of, [b"it"], "crmnet", "arcface")


@pytest.mark.parametrize(("found", "pick", "code"), [(DAMAGED, ALL, "INVALID_IMAGE"), (THREE, ONE, "MULTIPLE_FACES")])
async def test_a_refused_photo_is_raised_before_a_network_is_asked(
    found: Photo | RequestError, pick: Pick, code: str
) -> None:
    network = FakeNetwork([])
    of = stages(FakeDetector(found), embed=network)
    with pytest.raises(RequestError, match=code):
        await faces_of(of.detectors["mtcnn"], b"it", pick, [of.networks["arcface"]])
    assert network.calls == []


def test_the_face_is_the_first_if_the_rule_allows_it() -> None:
    assert the_face(photo(faces=[0.9]), ONE).score == 0.9
    assert the_face(THREE, ALL) is THREE.faces[0]
    for pick in (ONE, LARGEST, ALL):
        with pytest.raises(RequestError, match="NO_FACE_DETECTED"):
            the_face(photo(faces=[]), pick)
    with pytest.raises(RequestError, match="MULTIPLE_FACES_DETECTED") as caught:
        the_face(replace(THREE, found=4), ONE)
    assert caught.value.message == "Multiple faces detected (4). Exactly one face is required"


@given(sizes=st.lists(st.integers(0, 20)), most=st.integers(1, 30))
def test_every_item_is_in_one_batch_in_order_and_no_batch_has_room_for_the_next_item(
    sizes: list[int], most: int
) -> None:
    parts = [sizes[batch] for batch in split_by_size(sizes, most)]
    assert [size for part in parts for size in part] == sizes
    assert all(part and (sum(part) <= most or len(part) == 1) for part in parts)
    assert all(sum(part) + following[0] > most for part, following in pairwise(parts))


def test_batches_fit_into_a_message_between_replicas() -> None:
    limit = int(SWITCHES["RAY_SERVE_REPLICA_GRPC_MAX_MESSAGE_LENGTH"])
    largest = max(crop_bytes(card.crops) for card in cards().values() if card.crops)
    assert max(BATCH_BYTES, LARGEST_PHOTO, BATCH_FACES * largest) < 0.9 * limit
