"""Identification, over fake networks and a real gallery in a folder."""

import numpy as np
import pytest

from gallery.records import Hit, NewFace
from graphs.identify import SearchDecision, identify
from graphs.stages import embedding_kind
from imaging.pick import Pick
from tests.fakes import ANGLES, EMBEDDER_CROP, People, crops_of, direction
from tests.local_gallery import LocalGallery


async def test_each_face_has_its_own_candidates_best_first_as_many_as_requested() -> None:
    people, gallery = People(), LocalGallery()
    stages = people.stages(gallery)
    embedder, liveness = stages.networks["arcface"], stages.networks["crmnet"]
    staff = await gallery.create("staff", embedding_kind(embedder), 0.5)
    enrolled = [NewFace(name, "", "", np.array(direction(ANGLES[name]))) for name in ("anna", "anne", "bob")]
    await gallery.enrol("staff", embedder.card.embedding_contract, enrolled)
    asked = stages.detectors["mtcnn"], embedder, [liveness], gallery, "staff"
    seen, _, found, hits = await identify(*asked, b"bob-2 anna-2-spoof anne", 2, Pick(most=2))
    assert found == staff
    assert people.embedded == people.scored == [["bob-2", "anna-2-spoof"]]
    assert [face.score for face in seen.photo.faces] == [0.99, 0.98]
    assert [*seen.readings["crmnet"]] == [0.875, 0.125]
    assert seen.crops is not None
    np.testing.assert_array_equal(seen.crops, [crops_of(number, EMBEDDER_CROP) for number in (0, 1)])
    assert [[hit.subject for hit in of_face] for of_face in hits] == [["bob", "anne"], ["anna", "anne"]]
    assert [hit.cosine for hit in hits[1]] == pytest.approx([1, 0.9397], abs=1e-4)
    assert (await identify(*asked, b"nobody", 2, Pick()))[3] == []
    assert [[hit.subject for hit in of_face] for of_face in (await identify(*asked, b"anna", 1, Pick()))[3]] == [
        ["anna", "anne"]
    ]


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
