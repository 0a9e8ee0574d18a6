"""The flow of identification, over fake networks and a real gallery in a folder."""

import asyncio

import pytest

from gallery.records import Hit
from graphs.enrol import EnrolmentRules, PhotoToEnrol, enrol
from graphs.faces import ExaminedPhoto
from graphs.identify import identify
from graphs.liveness import LivenessRule
from graphs.policy import Policy
from graphs.stages import embedding_kind
from imaging.pick import Pick
from imaging.refused import Refused
from tests.fakes import People
from tests.local_gallery import LocalGallery

RULES = EnrolmentRules(Pick("one"), LivenessRule("off", 0.5))


class Hall:
    """A collection with Anna, Anne and Bob in it."""

    def __init__(self) -> None:
        self.people = People()
        self.stages = self.people.stages(LocalGallery())
        self.detector, self.embedder = self.stages.detectors["mtcnn"], self.stages.networks["arcface"]
        kind = embedding_kind(self.embedder)
        asyncio.run(self.stages.gallery.create("staff", kind, 0.5))
        entries = [PhotoToEnrol(name, name, name.encode()) for name in ("anna", "anne", "bob")]
        asyncio.run(
            enrol(self.detector, self.embedder, None, {}, self.stages.gallery, "staff", entries, RULES, Policy())
        )
        self.people.embedded.clear()

    def identify(
        self, photo: str, count: int = 9, most: int = 9, liveness: bool = False, collection: str = "staff"
    ) -> tuple[ExaminedPhoto, list[list[Hit]]]:
        others = [self.stages.networks["crmnet"]] if liveness else []
        networks = self.detector, self.embedder, others, self.stages.gallery
        seen, _, found, hits = asyncio.run(identify(*networks, collection, photo.encode(), count, Pick(most=most)))
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
    assert [*seen.readings.get("crmnet", ())] == ([0.875, 0.125] if liveness else [])


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
    asyncio.run(hall.stages.gallery.create("other", embedding_kind(hall.stages.networks["facenet"]), None))
    with pytest.raises(Refused) as caught:
        hall.identify("anna", collection="other")
    assert caught.value.code == "EMBEDDING_CONTRACT_MISMATCH"
