"""The flow of enrolment, over fake networks and a real gallery in a folder."""

import asyncio
from typing import Any, Literal

import numpy as np
import pytest

from gallery.records import Collection
from graphs.batches import BATCH_BYTES
from graphs.enrol import EnrolmentOutcome, EnrolmentRules, PhotoToEnrol, enrol
from graphs.liveness import LivenessRule, LivenessVerdict
from graphs.policy import Policy
from graphs.stages import embedding_kind
from imaging.crops import CropSpec
from imaging.pick import Pick
from imaging.refused import Refused
from tests.fakes import People, changed, direction, with_stages
from tests.local_gallery import LocalGallery

POLICY = Policy()
LIVE, SPOOF = LivenessVerdict(True, 0.875, 0.5), LivenessVerdict(False, 0.125, 0.5)
ONE, LARGEST = Pick("one"), Pick("largest")


def rules_of(
    pick: Pick = ONE, quality: Literal["report", "require"] = "require", require_live: bool = False
) -> EnrolmentRules:
    """Rules under which spoofs are reported, or refused."""
    return EnrolmentRules(pick, LivenessRule("require" if require_live else "report", 0.5), quality)


LENIENT = rules_of(ONE, quality="report")
LIVE_ONLY = rules_of(ONE, require_live=True)
STRICT = rules_of(ONE)


class Desk:
    """Enrols photos, which are words, in a collection of its own."""

    def __init__(self) -> None:
        self.people, self.gallery = People(), LocalGallery()
        self.stages = self.people.stages(self.gallery)
        self.collection: Collection = asyncio.run(
            self.gallery.create("staff", embedding_kind(self.stages.networks["arcface"]), None)
        )

    def enrol(
        self,
        *photos: str,
        rules: EnrolmentRules = STRICT,
        policy: Policy = POLICY,
        liveness: bool = False,
        collection: str = "staff",
        **options: Any,
    ) -> list[EnrolmentOutcome]:
        """Enrol each photo for the subject that its first word names."""
        entries = [PhotoToEnrol(words.split("-")[0], f"{words}.jpg", words.encode()) for words in photos]
        stages = self.stages
        asked = stages.networks["crmnet"] if liveness else None
        attributes = {stage.card.task: stage for stage in self.people.attributes()}
        networks = stages.detectors["mtcnn"], stages.networks["arcface"], asked, attributes, stages.gallery
        return asyncio.run(enrol(*networks, collection, entries, rules, policy, **options))

    def found(self, degrees: float, most: int = 9) -> list[str]:
        """The subjects that an embedding resembles, best first."""
        probe = np.array(direction(degrees), np.float32)
        _, [hits] = asyncio.run(self.gallery.find("staff", "contract", [probe], most))
        return [hit.subject for hit in hits if hit.cosine > 0.9]

    def labels(self, subject: str) -> list[str]:
        return [face.label for face in asyncio.run(self.gallery.faces(self.collection, subject))]

    def count(self) -> int:
        counted: int = asyncio.run(self.gallery.count(self.collection))
        return counted


def statuses(outcomes: list[EnrolmentOutcome]) -> list[str]:
    """What became of each photo: its status, or the code that it was refused with."""
    said = []
    for outcome in outcomes:
        assert (outcome.enrolled is None) != (outcome.refused is None)
        said.append(outcome.enrolled.status if outcome.enrolled else str(outcome.refused and outcome.refused.code))
    return said


def test_a_face_that_was_enrolled_is_found() -> None:
    desk = Desk()
    [outcome] = desk.enrol("anna")
    assert outcome.enrolled is not None
    assert (outcome.enrolled.subject, outcome.enrolled.status) == ("anna", "enrolled")
    assert (outcome.refused, outcome.face, outcome.live, outcome.reasons) == (None, 0, None, [])
    assert outcome.photo is not None
    assert len(outcome.photo.faces) == 1
    assert desk.found(0) == ["anna"]
    assert desk.labels("anna") == ["anna.jpg"]


def test_every_stage_is_asked_once_for_all_photos() -> None:
    desk = Desk()
    desk.enrol("anna", "bob", "carl", liveness=True)
    assert desk.people.detected == [["anna", "bob", "carl"]]
    assert desk.people.scored == desk.people.embedded == [["anna", "bob", "carl"]]


def test_a_refused_photo_loses_none_of_the_others_and_is_not_shown_to_the_networks() -> None:
    desk = Desk()
    photos = ("broken", "anna", "nobody", "bob-dark", "bob", "carl dora", "dora-small", "carl")
    assert statuses(desk.enrol(*photos, liveness=True)) == [
        "INVALID_IMAGE",
        "enrolled",
        "NO_FACE_DETECTED",
        "FACE_TOO_DARK",
        "enrolled",
        "MULTIPLE_FACES_DETECTED",
        "FACE_TOO_SMALL",
        "enrolled",
    ]
    assert desk.people.scored == desk.people.embedded == [["anna", "bob", "carl"]]
    assert (desk.found(0), desk.found(90), desk.found(270)) == (["anna"], ["bob"], ["carl"])
    assert desk.count() == 3
    assert statuses(desk.enrol("anna bob", rules=rules_of(Pick()), replace=True)) == ["enrolled", "enrolled"]
    assert desk.labels("anna bob") == ["anna bob.jpg"] * 2


def test_an_outcome_has_what_was_found_as_far_as_it_came() -> None:
    broken, nobody, several, dark = Desk().enrol("broken", "nobody", "anna bob", "anna-dark-small")
    assert (broken.photo, broken.face) == (None, None)
    assert nobody.photo is not None
    assert several.photo is not None
    assert (nobody.face, several.face, dark.face) == (None, None, 0)
    assert several.photo.found == 2
    assert [reason.code for reason in dark.reasons] == ["FACE_TOO_SMALL", "FACE_TOO_DARK"]
    assert dark.refused is not None
    assert dark.refused.message == dark.reasons[0].message


def test_where_all_are_refused_no_network_and_no_gallery_is_asked() -> None:
    desk = Desk()
    assert statuses(desk.enrol("nobody", "bob-dark", liveness=True, collection="not there")) == [
        "NO_FACE_DETECTED",
        "FACE_TOO_DARK",
    ]
    assert desk.people.scored == desk.people.embedded == []


def test_one_face_of_several_is_enrolled_where_the_rules_pick_it() -> None:
    desk = Desk()
    [outcome] = desk.enrol("anna bob-large carl", rules=rules_of(LARGEST))
    assert outcome.face == 0
    assert desk.people.picks == [LARGEST]
    assert desk.people.embedded == [["bob-large"]]
    assert (desk.found(90), desk.found(0)) == (["anna bob"], [])


def test_the_face_of_each_photo_is_found_among_those_of_all() -> None:
    desk = Desk()
    desk.enrol("anna bob-large", "broken", "carl-large dora", "anna", rules=rules_of(LARGEST))
    assert desk.people.embedded == [["bob-large", "carl-large", "anna"]]


def test_where_all_faces_count_each_is_enrolled_and_enrolled_once() -> None:
    desk = Desk()
    photos = ("anna bob-dark carl", "nobody", "dora")
    outcomes = desk.enrol(*photos, rules=rules_of(Pick()))
    assert statuses(outcomes) == ["enrolled", "FACE_TOO_DARK", "enrolled", "NO_FACE_DETECTED", "enrolled"]
    assert [(outcome.number, outcome.face) for outcome in outcomes] == [(0, 0), (0, 1), (0, 2), (1, None), (2, 0)]
    assert (desk.found(0), desk.found(270), desk.found(180)) == (["anna bob"], ["anna bob"], ["dora"])
    # Another rule may take another face of the photo: it is not there already.
    [one] = desk.enrol(photos[0], rules=rules_of(LARGEST))
    assert statuses([one]) == ["enrolled"]
    asyncio.run(desk.gallery.delete_face("staff", one.enrolled.face_id if one.enrolled else ""))
    again = desk.enrol(*photos, rules=rules_of(Pick()))
    assert statuses(again) == ["already", "FACE_TOO_DARK", "already", "NO_FACE_DETECTED", "already"]
    assert desk.count() == 3
    assert statuses(desk.enrol("anna bob", rules=rules_of(Pick()), replace=True)) == ["enrolled", "enrolled"]
    assert desk.labels("anna bob") == ["anna bob.jpg"] * 2


def test_the_largest_of_nobody_is_refused() -> None:
    assert statuses(Desk().enrol("nobody", rules=rules_of(LARGEST))) == ["NO_FACE_DETECTED"]


def test_the_face_that_counts_is_judged_alone() -> None:
    assert statuses(Desk().enrol("anna-large bob-dark", "bob-large-dark anna", rules=rules_of(LARGEST))) == [
        "enrolled",
        "FACE_TOO_DARK",
    ]


def test_a_poor_face_is_enrolled_and_told_where_quality_is_reported() -> None:
    desk = Desk()
    [dark, good] = desk.enrol("anna-dark-aside", "bob", rules=LENIENT)
    assert statuses([dark, good]) == ["enrolled", "enrolled"]
    assert [reason.code for reason in dark.reasons] == ["FACE_TOO_DARK", "FACE_TURNED"]
    assert good.reasons == []


def test_the_bounds_are_the_policys() -> None:
    assert statuses(Desk().enrol("anna-dark", policy=Policy(enrol_min_brightness=5))) == ["enrolled"]


def test_liveness_is_not_asked_where_it_is_off() -> None:
    desk = Desk()
    [outcome] = desk.enrol("anna-spoof", rules=LIVE_ONLY)
    assert (statuses([outcome]), outcome.live, desk.people.scored) == (["enrolled"], None, [])


def test_a_spoof_is_enrolled_and_told_where_liveness_is_reported() -> None:
    live, spoof = Desk().enrol("anna", "bob-spoof", liveness=True)
    assert statuses([live, spoof]) == ["enrolled", "enrolled"]
    assert (live.live, live.reasons, spoof.live) == (LIVE, [], SPOOF)
    [reason] = spoof.reasons
    assert (reason.code, reason.message) == ("NOT_LIVE", "The face looks like a spoof: live probability 0.12")


def test_a_spoof_is_refused_where_liveness_is_required_and_the_others_keep_their_embeddings() -> None:
    desk = Desk()
    outcomes = desk.enrol("anna-spoof", "bob", "carl-spoof", "dora", rules=LIVE_ONLY, liveness=True)
    assert statuses(outcomes) == ["NOT_LIVE", "enrolled", "NOT_LIVE", "enrolled"]
    assert [outcome.live for outcome in outcomes] == [SPOOF, LIVE, SPOOF, LIVE]
    assert (desk.found(0), desk.found(90), desk.found(270), desk.found(180)) == ([], ["bob"], [], ["dora"])


def test_the_live_threshold_is_the_policys_and_live_at_it() -> None:
    def asked(threshold: float) -> list[str]:
        policy = Policy(liveness_threshold=threshold)
        rules = EnrolmentRules(ONE, policy.liveness("require"))
        return statuses(Desk().enrol("anna", rules=rules, liveness=True))

    assert asked(0.875) == ["enrolled"]
    assert asked(0.876) == ["NOT_LIVE"]


def test_what_speaks_against_a_face_is_told_together() -> None:
    [outcome] = Desk().enrol("anna-dark-spoof", rules=rules_of(ONE, quality="report", require_live=True), liveness=True)
    assert [reason.code for reason in outcome.reasons] == ["FACE_TOO_DARK", "NOT_LIVE"]
    assert statuses([outcome]) == ["NOT_LIVE"]


def test_the_same_photo_of_the_same_subject_is_there_already() -> None:
    desk = Desk()
    [first] = desk.enrol("anna")
    [again, other] = desk.enrol("anna", "anna-2")
    assert statuses([again, other]) == ["already", "enrolled"]
    assert first.enrolled is not None
    assert again.enrolled is not None
    assert again.enrolled.face_id == first.enrolled.face_id
    assert desk.labels("anna") == ["anna.jpg", "anna-2.jpg"]


def test_replacing_deletes_the_subjects_other_faces_and_nobody_elses() -> None:
    desk = Desk()
    desk.enrol("anna", "anna-2", "bob")
    assert statuses(desk.enrol("anna-3", replace=True)) == ["enrolled"]
    assert desk.labels("anna") == ["anna-3.jpg"]
    assert desk.labels("bob") == ["bob.jpg"]


def test_a_refused_photo_replaces_nothing() -> None:
    desk = Desk()
    desk.enrol("anna", "bob")
    assert statuses(desk.enrol("anna-dark", "bob-2", replace=True)) == ["FACE_TOO_DARK", "enrolled"]
    assert (desk.labels("anna"), desk.labels("bob")) == (["anna.jpg"], ["bob-2.jpg"])


def test_the_same_request_again_changes_nothing() -> None:
    desk = Desk()
    desk.enrol("anna", "bob", request=("key", "digest"))
    asyncio.run(desk.gallery.delete_subjects("staff", ["bob"]))
    assert statuses(desk.enrol("anna", "bob", request=("key", "digest"))) == ["already", "deleted"]
    assert desk.found(90) == []
    with pytest.raises(Refused) as caught:
        desk.enrol("carl", request=("key", "another digest"))
    assert caught.value.code == "IDEMPOTENCY_KEY_REUSED"
    assert desk.count() == 1


@pytest.mark.parametrize(
    ("collection", "code"), [("nowhere", "COLLECTION_NOT_FOUND"), ("other", "EMBEDDING_CONTRACT_MISMATCH")]
)
def test_what_the_gallery_refuses_concerns_the_whole_request(collection: str, code: str) -> None:
    desk = Desk()
    asyncio.run(desk.gallery.create("other", embedding_kind(desk.stages.networks["facenet"]), None))
    with pytest.raises(Refused) as caught:
        desk.enrol("anna", "broken", collection=collection)
    assert caught.value.code == code


def test_without_photos_nothing_happens() -> None:
    desk = Desk()
    assert desk.enrol() == []
    assert desk.count() == 0


def test_photos_with_more_crops_than_a_message_carries_are_enrolled_in_batches() -> None:
    desk = Desk()
    photos = ["anna bob", "broken", "carl", "nobody", "dora-spoof anne"]
    # The crops of one photo's faces fill a batch.
    side = int((BATCH_BYTES / 3 / 20) ** 0.5)
    embedder = changed(desk.stages.networks["arcface"], crops=(CropSpec(side, "aligned"),))
    desk.stages = with_stages(desk.stages, embedder)
    outcomes = desk.enrol(*photos, rules=rules_of(Pick(most=20), require_live=True), liveness=True)
    assert [len(call) for call in desk.people.detected] == [1] * len(photos)
    assert [outcome.number for outcome in outcomes] == [0, 0, 1, 2, 3, 4, 4]
    assert statuses(outcomes) == [
        *("enrolled", "enrolled", "INVALID_IMAGE", "enrolled", "NO_FACE_DETECTED", "NOT_LIVE", "enrolled")
    ]
    assert desk.count() == 4
    # The second face of the first photo is Bob's, who is enrolled with the photo's subject.
    assert (desk.found(90), desk.found(270)) == (["anna bob"], ["carl"])


def test_measured_angles_and_closed_eyes_are_reported_and_refuse_where_the_policy_says_so() -> None:
    photos = ("anna-turned", "bob-shut", "carl")
    outcomes = Desk().enrol(*photos)
    assert statuses(outcomes) == ["enrolled"] * 3
    assert [[reason.code for reason in each.reasons] for each in outcomes] == [["FACE_TURNED"], ["EYES_CLOSED"], []]
    assert outcomes[0].attributes["pose"].tolist() == [45, 0, 0]
    strict = Policy(enrol_pose="require", enrol_eyes="require")
    assert statuses(Desk().enrol(*photos, policy=strict)) == ["FACE_TURNED", "EYES_CLOSED", "enrolled"]
    assert statuses(Desk().enrol(*photos, policy=strict, rules=LENIENT)) == ["enrolled"] * 3
