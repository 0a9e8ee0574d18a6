"""The flow of identification, over fake networks and a real gallery in a folder."""

import asyncio

import pytest

from gallery.records import Hit
from graphs.enrol import Enrolment, Rules, enrol
from graphs.extract import Look
from graphs.identify import identify
from graphs.policy import Policy
from imaging.pick import Pick
from imaging.refused import Refused
from tests.fakes import LocalGallery, People

RULES = Rules(Pick("one"))


class Hall:
    """A collection with Anna, Anne and Bob in it."""

    def __init__(self) -> None:
        self.people = People()
        self.stages = self.people.stages(LocalGallery())
        self.detector, self.embedder = self.stages.detectors["mtcnn"], self.stages.embedders["arcface"]
        kind = self.embedder.kind("arcface")
        asyncio.run(self.stages.gallery.create("staff", kind, 0.5))
        entries = [Enrolment(name, name, name.encode()) for name in ("anna", "anne", "bob")]
        asyncio.run(enrol(self.detector, None, self.embedder, self.stages.gallery, "staff", entries, RULES, Policy()))
        self.people.embedded.clear()

    def identify(
        self, photo: str, count: int = 9, most: int = 9, liveness: bool = False, collection: str = "staff"
    ) -> tuple[Look, list[list[Hit]]]:
        asked = self.stages.liveness["crmnet"] if liveness else None
        networks = self.detector, asked, self.embedder, self.stages.gallery
        seen, found, hits = asyncio.run(identify(*networks, collection, photo.encode(), count, Pick(most=most)))
        assert (found.name, found.threshold) == (collection, 0.5)
        return seen, hits


def subjects(hits: list[list[Hit]]) -> list[list[str]]:
    return [[hit.subject for hit in of_face] for of_face in hits]


def test_each_face_has_its_own_candidates_best_first() -> None:
    hall = Hall()
    seen, hits = hall.identify("bob-2 anna-2")
    assert [face.score for face in seen.photo.faces] == [0.99, 0.98]
    assert subjects(hits) == [["bob", "anne", "anna"], ["anna", "anne", "bob"]]
    assert [hit.cosine for hit in hits[1]] == pytest.approx([1, 0.9397, 0], abs=1e-4)
    assert hall.people.embedded == [["bob-2", "anna-2"]]


@pytest.mark.parametrize("count", [1, 2])
def test_no_more_subjects_than_were_asked_for(count: int) -> None:
    assert subjects(Hall().identify("anna-2", count)[1]) == [["anna", "anne"][:count]]


def test_no_more_faces_than_were_asked_for() -> None:
    hall = Hall()
    seen, hits = hall.identify("bob anna anne", most=2)
    assert (len(seen.photo.faces), len(hits)) == (2, 2)
    assert hall.people.embedded == [["bob", "anna"]]


def test_a_photo_of_nobody_has_no_candidates() -> None:
    hall = Hall()
    seen, hits = hall.identify("nobody", liveness=True)
    assert (list(seen.photo.faces), hits) == ([], [])
    assert hall.people.embedded == hall.people.scored == []


@pytest.mark.parametrize("liveness", [True, False])
def test_liveness_is_asked_where_it_is_on(liveness: bool) -> None:
    hall = Hall()
    seen, _ = hall.identify("bob anna-spoof", liveness=liveness)
    assert hall.people.scored == ([["bob", "anna-spoof"]] if liveness else [])
    assert (None if seen.readings.live is None else seen.readings.live.tolist()) == (
        [0.875, 0.125] if liveness else None
    )


def test_a_photo_that_is_none_is_refused() -> None:
    with pytest.raises(Refused) as caught:
        Hall().identify("broken")
    assert caught.value.code == "INVALID_IMAGE"


@pytest.mark.parametrize("photo", ["anna", "nobody"])
def test_a_collection_that_is_not_there_is_refused_whatever_the_photo_shows(photo: str) -> None:
    with pytest.raises(Refused) as caught:
        Hall().identify(photo, collection="nowhere")
    assert caught.value.code == "COLLECTION_NOT_FOUND"


def test_embeddings_of_another_network_are_refused() -> None:
    hall = Hall()
    asyncio.run(hall.stages.gallery.create("other", hall.stages.embedders["facenet"].kind("facenet"), None))
    with pytest.raises(Refused) as caught:
        hall.identify("anna", collection="other")
    assert caught.value.code == "EMBEDDING_CONTRACT_MISMATCH"
