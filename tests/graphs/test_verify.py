"""The flow of every one-to-one comparison, over fake networks."""

import asyncio

import pytest

from graphs.extract import largest
from graphs.verify import Choose, Verification, verify
from imaging.faces import Photo, Wanted
from imaging.refused import Refused
from tests.fakes import People


def by_size(number: int, found: Photo | Refused) -> int:
    if isinstance(found, Refused):
        raise found
    return largest(found)


def run(
    people: People,
    first: str,
    second: str,
    choose: Choose = by_size,
    liveness: bool = True,
    wanted: Wanted = "all",
) -> Verification:
    stages = people.stages()
    asked = stages.liveness["crmnet"] if liveness else None
    pair = first.encode(), second.encode()
    return asyncio.run(verify(stages.detectors["mtcnn"], asked, stages.embedders["arcface"], pair, choose, wanted))


def test_what_is_found() -> None:
    found = run(People(), "anna", "bob-spoof")
    assert found.live == (0.875, 0.125)
    assert found.embeddings.shape == (2, 2)
    assert found.distances.cosine == pytest.approx(0, abs=1e-6)
    assert found.distances.euclidean == pytest.approx(2**0.5)
    assert found.seconds > 0


@pytest.mark.parametrize(
    ("first", "second", "chosen"),
    [
        ("anna bob-large carl", "dora anne-large", ["bob-large", "anne-large"]),
        ("anna-large bob", "carl dora", ["anna-large", "carl"]),
    ],
)
def test_the_chosen_faces_are_compared_and_no_other(first: str, second: str, chosen: list[str]) -> None:
    people = People()
    found = run(people, first, second)
    assert people.detected == [[first, second]]
    assert people.scored == people.embedded == [chosen]
    places = [words.split().index(word) for words, word in zip((first, second), chosen, strict=True)]
    assert [photo.faces.index(face) for photo, face in zip(found.photos, found.faces, strict=True)] == places


@pytest.mark.parametrize("wanted", ["all", "largest"])
def test_the_detector_is_told_which_faces_are_wanted(wanted: Wanted) -> None:
    people = People()
    run(people, "anna", "bob", wanted=wanted)
    assert people.wanted == [wanted]


def test_without_liveness_it_is_not_asked() -> None:
    people = People()
    assert run(people, "anna", "anna-2", liveness=False).live == ()
    assert people.scored == []
    assert people.embedded == [["anna", "anna-2"]]


@pytest.mark.parametrize(
    ("pair", "number"), [(("broken", "anna"), 0), (("anna", "broken"), 1), (("anna", "nobody"), 1)]
)
def test_who_chooses_knows_the_photos_number_and_can_refuse_it_before_a_network_is_asked(
    pair: tuple[str, str], number: int
) -> None:
    def choose(which: int, found: Photo | Refused) -> int:
        if isinstance(found, Refused) or not found.faces:
            raise Refused("UNUSABLE", f"photo {which}")
        return 0

    people = People()
    with pytest.raises(Refused, match=f"UNUSABLE: photo {number}"):
        run(people, *pair, choose)
    assert people.scored == people.embedded == []
