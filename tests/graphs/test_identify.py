"""Identification, over fake networks and a real gallery in a folder."""

import asyncio

import numpy as np
import pytest

from gallery.records import Hit, NewFace
from graphs.faces import ExaminedPhoto
from graphs.identify import identify
from graphs.stages import embedding_kind
from imaging.pick import Pick
from imaging.refused import Refused
from tests.fakes import ANGLES, EMBEDDER_CROP, People, crops_of, direction
from tests.local_gallery import LocalGallery


class Hall:
    """A collection with Anna, Anne and Bob in it."""

    def __init__(self) -> None:
        self.people = People()
        self.stages = self.people.stages(LocalGallery())
        self.detector, self.embedder = self.stages.detectors["mtcnn"], self.stages.networks["arcface"]
        gallery, kind = self.stages.gallery, embedding_kind(self.embedder)
        asyncio.run(gallery.create("staff", kind, 0.5))
        enrolled = [NewFace(name, "", "", np.array(direction(ANGLES[name]))) for name in ("anna", "anne", "bob")]
        asyncio.run(gallery.enrol("staff", kind.contract, enrolled))

    def identify(
        self, photo: str, count: int = 9, most: int = 9, liveness: bool = False, collection: str = "staff"
    ) -> tuple[ExaminedPhoto, list[list[Hit]]]:
        others = [self.stages.networks["crmnet"]] if liveness else []
        networks = self.detector, self.embedder, others, self.stages.gallery
        seen, _, found, hits = asyncio.run(identify(*networks, collection, photo.encode(), count, Pick(most=most)))
        assert (found.name, found.threshold) == (collection, 0.5)
        return seen, hits


def test_each_face_has_its_own_candidates_best_first_as_many_as_requested() -> None:
    hall = Hall()
    seen, hits = hall.identify("bob-2 anna-2-spoof anne", count=2, most=2, liveness=True)
    assert hall.people.embedded == hall.people.scored == [["bob-2", "anna-2-spoof"]]
    assert [face.score for face in seen.photo.faces] == [0.99, 0.98]
    assert [*seen.readings["crmnet"]] == [0.875, 0.125]
    assert seen.crops is not None
    np.testing.assert_array_equal(seen.crops, [crops_of(number, EMBEDDER_CROP) for number in (0, 1)])
    assert [[hit.subject for hit in of_face] for of_face in hits] == [["bob", "anne"], ["anna", "anne"]]
    assert [hit.cosine for hit in hits[1]] == pytest.approx([1, 0.9397], abs=1e-4)


def test_a_photo_without_a_face_has_no_candidates() -> None:
    hall = Hall()
    seen, hits = hall.identify("nobody", liveness=True)
    assert (list(seen.photo.faces), hits) == ([], [])
    assert hall.people.embedded == hall.people.scored == []


@pytest.mark.parametrize(
    ("photo", "collection", "code"),
    [
        ("broken", "staff", "INVALID_IMAGE"),
        ("nobody", "nowhere", "COLLECTION_NOT_FOUND"),
        ("anna", "other", "EMBEDDING_CONTRACT_MISMATCH"),
    ],
)
def test_an_invalid_photo_or_collection_is_refused(photo: str, collection: str, code: str) -> None:
    hall = Hall()
    asyncio.run(hall.stages.gallery.create("other", embedding_kind(hall.stages.networks["facenet"]), None))
    with pytest.raises(Refused, match=code):
        hall.identify(photo, collection=collection)
