"""Enrolment, over fake networks and a real gallery in a folder."""

import asyncio
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from gallery.records import Collection
from graphs.enrol import EnrolmentOutcome, EnrolmentRules, PhotoToEnrol, enrol
from graphs.flow_settings import FlowSettings
from graphs.liveness import LivenessRule, LivenessVerdict
from graphs.stages import embedding_kind
from imaging.pick import Pick
from telemetry.request_record import recording
from tests.fakes import People, direction
from tests.local_gallery import LocalGallery

LIVE, SPOOF = LivenessVerdict(True, 0.875, 0.5), LivenessVerdict(False, 0.125, 0.5)
REPORTED, LIVE_ONLY = LivenessRule("report", 0.5), LivenessRule("require", 0.5)
SETTINGS, LARGEST = FlowSettings(), Pick("largest")
STRICT, STRICTLY_LIVE = (EnrolmentRules(Pick("one"), rule, SETTINGS) for rule in (REPORTED, LIVE_ONLY))
LENIENT = replace(STRICT, quality="report")


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
        return asyncio.run(enrol(*networks, collection, entries, rules, **options))

    def found(self, degrees: float) -> list[str]:
        """The subjects whose embedding has this direction."""
        probe = np.array(direction(degrees), np.float32)
        _, [hits] = asyncio.run(self.gallery.find("staff", "contract", [probe], 9))
        return [hit.subject for hit in hits if hit.cosine > 0.9]

    def labels(self, subject: str) -> list[str]:
        return [face.label for face in asyncio.run(self.gallery.faces(self.collection, subject))]

    def count(self) -> int:
        return asyncio.run(self.gallery.statistics("staff"))[1].faces


def statuses(outcomes: list[EnrolmentOutcome]) -> list[str]:
    """The status of each face that was enrolled, and the code of each refusal."""
    assert all((outcome.enrolled is None) != (outcome.refused is None) for outcome in outcomes)
    return [each.enrolled.status if each.enrolled else each.refused.code for each in outcomes]  # type: ignore[union-attr]


def test_a_refused_photo_affects_no_other_and_is_not_sent_to_the_networks() -> None:
    desk = Desk()
    photos = ["broken", "anna", "faceless", "bob-dark", "bob", "anne-spoof", "carl dora", "dora-small", "carl"]
    with recording(0.0) as recorder:
        outcomes = desk.enrol(*photos, rules=STRICTLY_LIVE, liveness=True)
    assert recorder.outcomes["enrolment", "refused"] == 6
    assert statuses(outcomes) == [
        *("INVALID_IMAGE", "enrolled", "NO_FACE_DETECTED", "FACE_TOO_DARK", "enrolled"),
        *("NOT_LIVE", "MULTIPLE_FACES_DETECTED", "FACE_TOO_SMALL", "enrolled"),
    ]
    assert [outcome.live for outcome in outcomes] == [None, LIVE, None, None, LIVE, SPOOF, None, None, LIVE]
    assert desk.people.detected == [photos]
    assert desk.people.scored == desk.people.embedded == [["anna", "bob", "anne-spoof", "carl"]]
    assert (desk.found(0), desk.found(90), desk.found(270)) == (["anna"], ["bob"], ["carl"])
    assert desk.count() == 3


def test_an_outcome_contains_what_was_found_before_the_refusal() -> None:
    broken, faceless, several, dark = Desk().enrol("broken", "faceless", "anna bob", "anna-dark")
    assert broken.photo is None
    assert faceless.photo is not None
    assert several.photo is not None
    assert [each.face for each in (broken, faceless, several, dark)] == [None, None, None, 0]
    assert several.photo.found == 2


REQUIRED = FlowSettings(enrol_pose="require", enrol_eyes="require")


@pytest.mark.parametrize(
    ("photo", "rules", "settings", "status", "codes"),
    [
        ("anna", STRICTLY_LIVE, REQUIRED, "enrolled", []),
        ("anna-dark-aside", LENIENT, SETTINGS, "enrolled", ["FACE_TOO_DARK", "FACE_TURNED"]),
        ("anna-dark-small", STRICT, SETTINGS, "FACE_TOO_SMALL", ["FACE_TOO_SMALL", "FACE_TOO_DARK"]),
        ("anna-dark", STRICT, FlowSettings(enrol_min_brightness=5), "enrolled", []),
        ("anna-spoof", STRICT, SETTINGS, "enrolled", ["NOT_LIVE"]),
        ("anna-spoof", STRICTLY_LIVE, SETTINGS, "NOT_LIVE", ["NOT_LIVE"]),
        ("anna-turned", STRICT, SETTINGS, "enrolled", ["FACE_TURNED"]),
        ("anna-turned", STRICT, REQUIRED, "FACE_TURNED", ["FACE_TURNED"]),
        ("anna-turned-spoof", STRICTLY_LIVE, REQUIRED, "FACE_TURNED", ["FACE_TURNED", "NOT_LIVE"]),
        ("anna-shut", STRICT, SETTINGS, "enrolled", ["EYES_CLOSED"]),
        ("anna-shut", STRICT, REQUIRED, "EYES_CLOSED", ["EYES_CLOSED"]),
        ("anna-shut", LENIENT, REQUIRED, "enrolled", ["EYES_CLOSED"]),
    ],
)
def test_every_reason_is_reported_and_the_first_required_one_is_the_refusal(
    photo: str, rules: EnrolmentRules, settings: FlowSettings, status: str, codes: list[str]
) -> None:
    [outcome] = Desk().enrol(photo, rules=replace(rules, settings=settings), liveness=True)
    assert statuses([outcome]) == [status]
    assert [reason.code for reason in outcome.reasons] == codes
    if outcome.refused:
        assert outcome.refused.message == outcome.reasons[0].message
    for reason in outcome.reasons:
        assert reason.code != "NOT_LIVE" or reason.message == "The face looks like a spoof: live probability 0.12"


def test_faces_have_readings_of_the_networks_that_are_asked() -> None:
    desk = Desk()
    [unasked] = desk.enrol("anna-spoof-turned", rules=STRICTLY_LIVE)
    assert (statuses([unasked]), unasked.live, desk.people.scored) == (["enrolled"], None, [])
    assert unasked.attributes["pose"].tolist() == [45, 0, 0]


def test_without_a_face_to_enrol_no_network_and_no_gallery_is_asked() -> None:
    desk = Desk()
    outcomes = desk.enrol("faceless", "bob-dark", liveness=True, collection="not there")
    assert statuses(outcomes) == ["NO_FACE_DETECTED", "FACE_TOO_DARK"]
    assert desk.people.scored == desk.people.embedded == []
    assert desk.enrol() == []


def test_only_the_picked_face_of_each_photo_is_judged_and_enrolled() -> None:
    desk = Desk()
    photos = ("anna bob-large", "broken", "carl-large dora-dark", "faceless", "dora-large-dark anna", "anna")
    outcomes = desk.enrol(*photos, rules=EnrolmentRules(LARGEST, REPORTED, SETTINGS))
    assert statuses(outcomes) == [
        *("enrolled", "INVALID_IMAGE", "enrolled", "NO_FACE_DETECTED", "FACE_TOO_DARK", "enrolled")
    ]
    assert desk.people.picks == [LARGEST]
    assert desk.people.embedded == [["bob-large", "carl-large", "anna"]]
    assert (desk.found(90), desk.found(270), desk.found(0)) == (["anna bob"], ["carl"], ["anna"])


def test_with_the_rule_all_each_face_is_enrolled_once() -> None:
    desk = Desk()
    photos, all_faces = ("anna bob-dark carl", "faceless", "dora"), EnrolmentRules(Pick(), REPORTED, SETTINGS)
    outcomes = desk.enrol(*photos, rules=all_faces)
    assert statuses(outcomes) == ["enrolled", "FACE_TOO_DARK", "enrolled", "NO_FACE_DETECTED", "enrolled"]
    assert [(outcome.number, outcome.face) for outcome in outcomes] == [(0, 0), (0, 1), (0, 2), (1, None), (2, 0)]
    assert (desk.found(0), desk.found(270), desk.found(180)) == (["anna bob"], ["anna bob"], ["dora"])
    # Another rule may pick another face of the photo, so this one is not enrolled yet.
    [one] = desk.enrol(photos[0], rules=EnrolmentRules(LARGEST, REPORTED, SETTINGS))
    assert one.enrolled is not None
    assert one.enrolled.status == "enrolled"
    asyncio.run(desk.gallery.delete_faces("staff", [one.enrolled.face_id]))
    again = desk.enrol(*photos, rules=all_faces)
    assert statuses(again) == ["already", "FACE_TOO_DARK", "already", "NO_FACE_DETECTED", "already"]
    assert desk.count() == 3
    assert statuses(desk.enrol("anna bob", rules=all_faces, replace=True)) == ["enrolled", "enrolled"]
    assert desk.labels("anna bob") == ["anna bob.jpg"] * 2


def test_a_photo_is_enrolled_once_and_replaces_others_unless_it_is_refused() -> None:
    desk = Desk()
    desk.enrol("anna", "bob", "carl")
    assert statuses(desk.enrol("anna", "anna-2")) == ["already", "enrolled"]
    assert desk.labels("anna") == ["anna.jpg", "anna-2.jpg"]
    assert statuses(desk.enrol("anna-3", "bob-dark", replace=True)) == ["enrolled", "FACE_TOO_DARK"]
    assert [desk.labels(subject) for subject in ("anna", "bob", "carl")] == [["anna-3.jpg"], ["bob.jpg"], ["carl.jpg"]]
