"""Enrolment, over fake networks and a real gallery in a folder."""

import asyncio
from typing import Any, Literal

import numpy as np
import pytest

from gallery.records import Collection
from graphs.enrol import EnrolmentOutcome, EnrolmentRules, PhotoToEnrol, enrol
from graphs.liveness import LivenessRule, LivenessVerdict
from graphs.policy import Policy
from graphs.stages import embedding_kind
from imaging.pick import Pick
from imaging.refused import Refused
from tests.fakes import People, direction
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

    def found(self, degrees: float) -> list[str]:
        """The subjects whose embedding has this direction."""
        probe = np.array(direction(degrees), np.float32)
        _, [hits] = asyncio.run(self.gallery.find("staff", "contract", [probe], 9))
        return [hit.subject for hit in hits if hit.cosine > 0.9]

    def labels(self, subject: str) -> list[str]:
        return [face.label for face in asyncio.run(self.gallery.faces(self.collection, subject))]

    def count(self) -> int:
        return asyncio.run(self.gallery.count(self.collection))


def statuses(outcomes: list[EnrolmentOutcome]) -> list[str]:
    """The status of each face that was enrolled, and the code of each refusal."""
    assert all((outcome.enrolled is None) != (outcome.refused is None) for outcome in outcomes)
    return [each.enrolled.status if each.enrolled else each.refused.code for each in outcomes]  # type: ignore[union-attr]


def test_an_enrolled_face_is_found() -> None:
    desk = Desk()
    [outcome] = desk.enrol("anna")
    assert outcome.enrolled is not None
    assert (outcome.enrolled.subject, outcome.enrolled.status) == ("anna", "enrolled")
    assert (outcome.refused, outcome.face, outcome.live, outcome.reasons) == (None, 0, None, [])
    assert desk.found(0) == ["anna"]
    assert desk.labels("anna") == ["anna.jpg"]


def test_a_refused_photo_affects_no_other_and_is_not_sent_to_the_networks() -> None:
    desk = Desk()
    photos = ["broken", "anna", "nobody", "bob-dark", "bob", "carl dora", "dora-small", "carl"]
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
    assert desk.people.detected == [photos]
    assert desk.people.scored == desk.people.embedded == [["anna", "bob", "carl"]]
    assert (desk.found(0), desk.found(90), desk.found(270)) == (["anna"], ["bob"], ["carl"])
    assert desk.count() == 3


def test_an_outcome_contains_what_was_found_before_the_refusal() -> None:
    broken, nobody, several, dark = Desk().enrol("broken", "nobody", "anna bob", "anna-dark-small")
    assert (broken.photo, broken.face) == (None, None)
    assert nobody.photo is not None
    assert several.photo is not None
    assert (nobody.face, several.face, dark.face) == (None, None, 0)
    assert several.photo.found == 2
    assert [reason.code for reason in dark.reasons] == ["FACE_TOO_SMALL", "FACE_TOO_DARK"]
    assert dark.refused is not None
    assert dark.refused.message == dark.reasons[0].message


def test_without_a_face_to_enrol_no_network_and_no_gallery_is_asked() -> None:
    desk = Desk()
    assert statuses(desk.enrol("nobody", "bob-dark", liveness=True, collection="not there")) == [
        "NO_FACE_DETECTED",
        "FACE_TOO_DARK",
    ]
    assert desk.people.scored == desk.people.embedded == []
    assert desk.enrol() == []


def test_the_picked_face_of_each_photo_is_judged_and_enrolled_alone() -> None:
    desk = Desk()
    photos = ("anna bob-large", "broken", "carl-large dora-dark", "nobody", "dora-large-dark anna", "anna")
    outcomes = desk.enrol(*photos, rules=rules_of(LARGEST))
    assert statuses(outcomes) == [
        *("enrolled", "INVALID_IMAGE", "enrolled", "NO_FACE_DETECTED", "FACE_TOO_DARK", "enrolled")
    ]
    assert desk.people.picks == [LARGEST]
    assert desk.people.embedded == [["bob-large", "carl-large", "anna"]]
    assert (desk.found(90), desk.found(270), desk.found(0)) == (["anna bob"], ["carl"], ["anna"])


def test_with_the_rule_all_each_face_is_enrolled_once() -> None:
    desk = Desk()
    photos = ("anna bob-dark carl", "nobody", "dora")
    outcomes = desk.enrol(*photos, rules=rules_of(Pick()))
    assert statuses(outcomes) == ["enrolled", "FACE_TOO_DARK", "enrolled", "NO_FACE_DETECTED", "enrolled"]
    assert [(outcome.number, outcome.face) for outcome in outcomes] == [(0, 0), (0, 1), (0, 2), (1, None), (2, 0)]
    assert (desk.found(0), desk.found(270), desk.found(180)) == (["anna bob"], ["anna bob"], ["dora"])
    # Another rule may pick another face of the photo, so this one is not enrolled yet.
    [one] = desk.enrol(photos[0], rules=rules_of(LARGEST))
    assert statuses([one]) == ["enrolled"]
    asyncio.run(desk.gallery.delete_face("staff", one.enrolled.face_id if one.enrolled else ""))
    again = desk.enrol(*photos, rules=rules_of(Pick()))
    assert statuses(again) == ["already", "FACE_TOO_DARK", "already", "NO_FACE_DETECTED", "already"]
    assert desk.count() == 3
    assert statuses(desk.enrol("anna bob", rules=rules_of(Pick()), replace=True)) == ["enrolled", "enrolled"]
    assert desk.labels("anna bob") == ["anna bob.jpg"] * 2


def test_poor_quality_is_only_reported_if_the_rules_say_so() -> None:
    poor, good = Desk().enrol("anna-dark-aside", "bob", rules=LENIENT)
    assert statuses([poor, good]) == ["enrolled", "enrolled"]
    assert [reason.code for reason in poor.reasons] == ["FACE_TOO_DARK", "FACE_TURNED"]
    assert good.reasons == []
    assert statuses(Desk().enrol("anna-dark", policy=Policy(enrol_min_brightness=5))) == ["enrolled"]


def test_a_spoof_is_refused_only_if_liveness_is_required_and_asked() -> None:
    desk = Desk()
    [unasked] = desk.enrol("anna-spoof", rules=LIVE_ONLY)
    assert (statuses([unasked]), unasked.live, desk.people.scored) == (["enrolled"], None, [])
    live, spoof = Desk().enrol("anna", "bob-spoof", liveness=True)
    assert statuses([live, spoof]) == ["enrolled", "enrolled"]
    assert (live.live, live.reasons, spoof.live) == (LIVE, [], SPOOF)
    [reason] = spoof.reasons
    assert (reason.code, reason.message) == ("NOT_LIVE", "The face looks like a spoof: live probability 0.12")
    desk = Desk()
    outcomes = desk.enrol("anna-spoof", "bob", "carl-spoof", "dora", rules=LIVE_ONLY, liveness=True)
    assert statuses(outcomes) == ["NOT_LIVE", "enrolled", "NOT_LIVE", "enrolled"]
    assert [outcome.live for outcome in outcomes] == [SPOOF, LIVE, SPOOF, LIVE]
    assert (desk.found(0), desk.found(90), desk.found(270), desk.found(180)) == ([], ["bob"], [], ["dora"])


def test_every_reason_against_a_face_is_reported() -> None:
    [outcome] = Desk().enrol("anna-dark-spoof", rules=rules_of(ONE, quality="report", require_live=True), liveness=True)
    assert [reason.code for reason in outcome.reasons] == ["FACE_TOO_DARK", "NOT_LIVE"]
    assert statuses([outcome]) == ["NOT_LIVE"]


def test_a_photo_is_enrolled_once_and_replaces_others_unless_it_is_refused() -> None:
    desk = Desk()
    desk.enrol("anna", "bob", "carl")
    assert statuses(desk.enrol("anna", "anna-2")) == ["already", "enrolled"]
    assert desk.labels("anna") == ["anna.jpg", "anna-2.jpg"]
    assert statuses(desk.enrol("anna-3", "bob-dark", replace=True)) == ["enrolled", "FACE_TOO_DARK"]
    assert [desk.labels(subject) for subject in ("anna", "bob", "carl")] == [["anna-3.jpg"], ["bob.jpg"], ["carl.jpg"]]


def test_a_repeated_request_changes_nothing() -> None:
    desk = Desk()
    desk.enrol("anna", "bob", request=("key", "digest"))
    asyncio.run(desk.gallery.delete_subjects("staff", ["bob"]))
    assert statuses(desk.enrol("anna", "bob", request=("key", "digest"))) == ["already", "deleted"]


def test_the_gallery_refuses_the_whole_request() -> None:
    desk = Desk()
    asyncio.run(desk.gallery.create("other", embedding_kind(desk.stages.networks["facenet"]), None))
    with pytest.raises(Refused, match="EMBEDDING_CONTRACT_MISMATCH"):
        desk.enrol("anna", "broken", collection="other")


def test_measured_angles_and_closed_eyes_are_reported_and_refuse_only_if_the_policy_requires_it() -> None:
    photos = ("anna-turned", "bob-shut", "carl")
    outcomes = Desk().enrol(*photos)
    assert statuses(outcomes) == ["enrolled"] * 3
    assert [[reason.code for reason in each.reasons] for each in outcomes] == [["FACE_TURNED"], ["EYES_CLOSED"], []]
    assert outcomes[0].attributes["pose"].tolist() == [45, 0, 0]
    strict = Policy(enrol_pose="require", enrol_eyes="require")
    assert statuses(Desk().enrol(*photos, policy=strict)) == ["FACE_TURNED", "EYES_CLOSED", "enrolled"]
    assert statuses(Desk().enrol(*photos, policy=strict, rules=LENIENT)) == ["enrolled"] * 3
    [both] = Desk().enrol("anna-turned-spoof", policy=strict, rules=LIVE_ONLY, liveness=True)
    assert (statuses([both]), [reason.code for reason in both.reasons]) == (
        ["FACE_TURNED"],
        ["FACE_TURNED", "NOT_LIVE"],
    )
