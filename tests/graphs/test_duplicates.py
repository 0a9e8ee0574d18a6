"""Finding faces to enrol that resemble another subject, in a real gallery in a folder."""

import numpy as np
import pytest

from gallery.records import EmbeddingKind, NewFace
from graphs.duplicates import DuplicatePolicy, DuplicateRule, duplicates
from tests.fakes import direction
from tests.local_gallery import LocalGallery

KIND = EmbeddingKind("arcface", "model", "contract", 2)


def face(subject: str, degrees: float) -> NewFace:
    return NewFace(subject, str(degrees), "", np.array(direction(degrees), np.float32))


async def found(
    *faces: NewFace, policy: DuplicatePolicy = "refuse", enrolled: tuple[NewFace, ...] = ()
) -> list[str | None]:
    """The subject that each face resembles with a similarity of 0.9."""
    gallery = LocalGallery()
    await gallery.create("staff", KIND, None)
    await gallery.enrol("staff", "contract", [face("anna", 0), face("anna", 10), face("bob", 90), *enrolled])
    hits = await duplicates(gallery, "staff", "contract", faces, DuplicateRule(policy, 0.9))
    return [hit.subject if hit else None for hit in hits]


@pytest.mark.parametrize("policy", ["refuse", "report"])
async def test_only_faces_of_other_subjects_are_duplicates(policy: DuplicatePolicy) -> None:
    faces = face("anna", 5), face("anne", 5), face("bob", 60), face("carl", 270)
    assert await found(*faces, policy=policy) == [None, "anna", None, None]


@pytest.mark.parametrize(("policy", "last"), [("refuse", None), ("report", "dora")])
async def test_earlier_faces_of_the_request_count_unless_they_are_refused(
    policy: DuplicatePolicy, last: str | None
) -> None:
    faces = face("carl", 270), face("dora", 250), face("emma", 230)
    assert await found(*faces, policy=policy) == [None, "carl", last]


async def test_a_face_that_is_already_enrolled_is_no_duplicate() -> None:
    again = face("anne", 0)
    assert await found(again, enrolled=(again,)) == [None]
    assert await found(face("anne", 1), enrolled=(again,)) == ["anna"]


@pytest.mark.parametrize("policy", ["refuse", "report"])
async def test_a_renamed_subjects_faces_are_no_duplicates_of_themselves(policy: DuplicatePolicy) -> None:
    gallery, rule = LocalGallery(), DuplicateRule(policy, 0.9)
    await gallery.create("staff", KIND, None)
    await gallery.enrol("staff", "contract", [face("anna", 0)])
    await gallery.rename_subject("staff", "anna", "anne")
    for subject in ("anna", "anne"):
        assert await duplicates(gallery, "staff", "contract", [face(subject, 0)], rule) == [None]


async def test_a_face_that_moved_and_is_replaced_is_a_duplicate_again() -> None:
    gallery, rule = LocalGallery(), DuplicateRule("refuse", 0.9)
    await gallery.create("staff", KIND, None)
    await gallery.enrol("staff", "contract", [face("anna", 0), face("anna", 5)])
    await gallery.rename_subject("staff", "anna", "anne")
    [hit] = await duplicates(gallery, "staff", "contract", [face("anna", 0)], rule, replace=True)
    assert hit
    assert hit.subject == "anne"
