"""The flow of enrolment: photos in, faces in the gallery, and for each photo what became of it."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from gallery.operations import Gallery
from gallery.records import Enrolled, NewFace, photo_source
from graphs.faces import ExaminedPhoto, faces, the_face
from graphs.gate import Reason, attribute_reasons, reasons
from graphs.liveness import LivenessRule, LivenessVerdict
from graphs.policy import Policy
from graphs.stages import DetectorStage, FaceStage
from imaging.faces import Photo
from imaging.pick import Pick
from imaging.refused import Refused
from telemetry.request_record import count_outcome


@dataclass(frozen=True, slots=True)
class PhotoToEnrol:
    """A photo to enrol: the subject that it shows, its label, and its bytes."""

    subject: str
    label: str
    photo: bytes


@dataclass(frozen=True, slots=True)
class EnrolmentRules:
    """What a photo has to be.

    Attributes:
        pick: which faces of the photo count; with the rule ``all``, each of them is enrolled for its subject.
        quality: ``require`` refuses a face that is not good enough, ``report`` enrols it all the same.
        liveness: judges faces where a liveness network is asked.
    """

    pick: Pick
    liveness: LivenessRule
    quality: Literal["report", "require"] = "require"


@dataclass(slots=True, eq=False)
class EnrolmentOutcome:
    """What became of one face of a photo, or of a photo without one.

    Attributes:
        number: of the photo among those of the request.
        enrolled: its face in the gallery; None if it was refused.
        refused: why it was.
        photo: what was found in it; None if it could not be read.
        face: index of the face; None without one.
        live: whether it is live; None if liveness was not asked.
        attributes: readings of its further networks, by their task.
        reasons: all that speaks against the face, even if it was enrolled.
    """

    number: int
    enrolled: Enrolled | None = None
    refused: Refused | None = None
    photo: Photo | None = None
    face: int | None = None
    live: LivenessVerdict | None = None
    attributes: Mapping[str, NDArray[np.float32]] = field(default_factory=dict)
    reasons: list[Reason] = field(default_factory=list)


async def enrol(
    detector: DetectorStage,
    embedder: FaceStage,
    liveness: FaceStage | None,
    attributes: Mapping[str, FaceStage],
    gallery: Gallery,
    collection: str,
    photos: Sequence[PhotoToEnrol],
    rules: EnrolmentRules,
    policy: Policy,
    *,
    replace: bool = False,
    request: tuple[str, str] | None = None,
) -> list[EnrolmentOutcome]:
    """Enrol the faces of each photo that count; all that are good enough in one commit.

    Args:
        attributes: further networks by their task, of which the gate judges ``pose`` and ``eyes``.
        replace, request: see `gallery.writer.Writer.enrol`.

    Returns:
        One outcome per photo, in order; with the rule ``all``, one per face of it.

    Raises:
        Refused: what concerns the request as a whole, as the gallery raises it.
        ValueError: a network's answer is not finite.
    """
    judged: list[list[EnrolmentOutcome]] = []

    def select(number: int, found: Photo | Refused) -> Sequence[int]:
        judged.append(_judged(number, found, rules, policy))
        return [outcome.face for outcome in judged[-1] if outcome.face is not None and not outcome.refused]

    networks = [embedder, *([liveness] if liveness else []), *attributes.values()]
    examined = await faces(detector, [entry.photo for entry in photos], rules.pick, networks, select=select)
    fit: list[tuple[EnrolmentOutcome, NewFace]] = []
    for entry, outcomes, photo in zip(photos, judged, examined.photos, strict=True):
        if isinstance(photo, ExaminedPhoto):
            fit += _fit(entry, outcomes, photo, embedder, liveness, attributes, rules, policy)
    if fit:
        new = [face for _, face in fit]
        contract = embedder.card.embedding_contract
        answers = await gallery.enrol(collection, contract, new, replace=replace, request=request)
        for (outcome, _), answer in zip(fit, answers, strict=True):
            outcome.enrolled = answer
    results = [outcome for outcomes in judged for outcome in outcomes]
    count_outcome("enrolment", "refused", sum(outcome.refused is not None for outcome in results))
    return results


def _fit(
    entry: PhotoToEnrol,
    outcomes: Sequence[EnrolmentOutcome],
    photo: ExaminedPhoto,
    embedder: FaceStage,
    liveness: FaceStage | None,
    attributes: Mapping[str, FaceStage],
    rules: EnrolmentRules,
    policy: Policy,
) -> list[tuple[EnrolmentOutcome, NewFace]]:
    """The faces of a photo to enrol, among those that the networks were asked about. Spoofs are noted and refused."""
    fit, digest = [], hashlib.sha256(entry.photo).hexdigest()
    by_face = {outcome.face: outcome for outcome in outcomes}
    for row, face in enumerate(photo.asked):
        outcome = by_face[face]
        outcome.attributes = {task: photo.readings[stage.role][row] for task, stage in attributes.items()}
        poor = list(attribute_reasons(policy, outcome.attributes.get("pose"), outcome.attributes.get("eyes")))
        outcome.reasons += poor
        if rules.quality == "require" and (refusing := [reason for reason in poor if reason.refuses]):
            outcome.refused = _refusal(refusing[0])
        if liveness:
            outcome.live = rules.liveness.judge(float(photo.readings[liveness.role][row]))
            if not outcome.live.live:
                score = outcome.live.score
                spoof = Reason("NOT_LIVE", f"The face looks like a spoof: live probability {score:.2f}")
                outcome.reasons.append(spoof)
                if rules.liveness.refuses(outcome.live.live) and not outcome.refused:
                    outcome.refused = _refusal(spoof)
        if not outcome.refused:
            source = photo_source(digest, face if rules.pick.rule == "all" else None)
            embedding = np.asarray(photo.readings[embedder.role][row], np.float32)
            fit.append((outcome, NewFace(entry.subject, source, entry.label, embedding)))
    return fit


def _judged(number: int, found: Photo | Refused, rules: EnrolmentRules, policy: Policy) -> list[EnrolmentOutcome]:
    """The faces of a photo that count, before any network but the detector has seen them."""
    if isinstance(found, Refused):
        return [EnrolmentOutcome(number, refused=found)]
    try:
        the_face(found, rules.pick)
    except Refused as refused:
        return [EnrolmentOutcome(number, refused=refused, photo=found)]
    outcomes = []
    for face in range(len(found.faces)):
        against = reasons(found, face, policy)
        poor = _refusal(against[0]) if against and rules.quality == "require" else None
        outcomes.append(EnrolmentOutcome(number, refused=poor, photo=found, face=face, reasons=against))
    return outcomes


def _refusal(reason: Reason) -> Refused:
    return Refused(reason.code, reason.message)
