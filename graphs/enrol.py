"""Enrol the faces of photos in the gallery, and report the result for each photo."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from gallery.operations import Gallery
from gallery.records import Enrolled, Hit, Metadata, NewFace, photo_source
from graphs.duplicates import NO_CHECK, DuplicateRule, duplicate_error, duplicates
from graphs.faces import ExaminedPhoto, faces, the_face
from graphs.flow_settings import FlowSettings
from graphs.gate import Reason, attribute_reasons, reasons
from graphs.liveness import LivenessRule, LivenessVerdict
from graphs.stages import DetectorStage, FaceStage
from imaging.faces import Photo
from imaging.pick import Pick
from project.request_error import RequestError
from telemetry.request_record import count_outcome


@dataclass(frozen=True, slots=True)
class PhotoToEnrol:
    """An encoded photo to enrol, with its subject and label."""

    subject: str
    label: str
    photo: bytes


@dataclass(frozen=True, slots=True)
class EnrolmentRules:
    """Conditions for enrolling a face.

    Attributes:
        pick: which faces of a photo count; with the rule ``all``, each of them is enrolled for the photo's subject.
        liveness: judges faces if there is a liveness stage.
        settings: bounds of the quality gate.
        quality: ``require`` rejects a face of poor quality, ``report`` enrols it anyway.
        duplicates: decides on faces that resemble another subject.
    """

    pick: Pick
    liveness: LivenessRule
    settings: FlowSettings
    quality: Literal["report", "require"] = "require"
    duplicates: DuplicateRule = NO_CHECK


@dataclass(slots=True, eq=False)
class EnrolmentOutcome:
    """Result for one face of a photo, or for a photo without a face that counts.

    Attributes:
        number: index of the photo in the request.
        enrolled: the face in the gallery; None if it was refused.
        refused: why it was refused; None if it was enrolled.
        photo: result of the detector; None if the photo could not be decoded.
        face: index of the face in `photo`; None if there is no face that counts.
        live: the liveness verdict; None if liveness was not checked.
        attributes: outputs of the attribute models, by task.
        reasons: every quality problem, a liveness failure and a duplicate, even if the face was enrolled.
        duplicate: the most similar face of another subject, if it was checked and reaches the threshold.
    """

    number: int
    enrolled: Enrolled | None = None
    refused: RequestError | None = None
    photo: Photo | None = None
    face: int | None = None
    live: LivenessVerdict | None = None
    attributes: Mapping[str, NDArray[np.float32]] = field(default_factory=dict)
    reasons: list[Reason] = field(default_factory=list)
    duplicate: Hit | None = None


async def enrol(
    detector: DetectorStage,
    embedder: FaceStage,
    liveness: FaceStage | None,
    attributes: Mapping[str, FaceStage],
    gallery: Gallery,
    collection: str,
    photos: Sequence[PhotoToEnrol],
    rules: EnrolmentRules,
    *,
    replace: bool = False,
    request: tuple[str, str] | None = None,
    metadata: Metadata | None = None,
) -> list[EnrolmentOutcome]:
    """Enrol the faces that count and meet `rules`, all in one commit.

    Args:
        attributes: attribute stages, by task. The quality gate uses ``pose`` and ``eyes``.
        replace, request: see `gallery.writing.writer.Writer.enrol`.
        metadata: new metadata of each subject with a face that meets `rules`; None to change nothing.

    Returns:
        One outcome per photo, in order; with the rule ``all``, one per face.

    Raises:
        RequestError: a stage is not available, or the gallery refuses the whole request.
        ValueError: a model's output is not finite.
    """
    judged: list[list[EnrolmentOutcome]] = []

    def select(number: int, found: Photo | RequestError) -> Sequence[int]:
        judged.append(_judged(number, found, rules))
        return [outcome.face for outcome in judged[-1] if outcome.face is not None and not outcome.refused]

    networks = [embedder, *([liveness] if liveness else []), *attributes.values()]
    examined = await faces(detector, [entry.photo for entry in photos], rules.pick, networks, select=select)
    fit: list[tuple[EnrolmentOutcome, NewFace]] = []
    for entry, outcomes, photo in zip(photos, judged, examined.photos, strict=True):
        if isinstance(photo, ExaminedPhoto):
            fit += _fit(entry, outcomes, photo, embedder, liveness, attributes, rules)
    contract = embedder.card.embedding_contract
    fit = await _without_duplicates(fit, gallery, collection, contract, rules.duplicates, replace)
    if fit:
        new = [face for _, face in fit]
        described = {} if metadata is None else {face.subject: metadata for face in new}
        answers = await gallery.enrol(collection, contract, new, replace=replace, request=request, metadata=described)
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
) -> list[tuple[EnrolmentOutcome, NewFace]]:
    """Complete the outcomes of the faces that the models were run on, and return the faces to enrol."""
    fit, digest = [], hashlib.sha256(entry.photo).hexdigest()
    by_face = {outcome.face: outcome for outcome in outcomes}
    for row, face in enumerate(photo.asked):
        outcome = by_face[face]
        outcome.attributes = {task: photo.readings[stage.role][row] for task, stage in attributes.items()}
        poor = list(attribute_reasons(rules.settings, outcome.attributes))
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


async def _without_duplicates(
    fit: Sequence[tuple[EnrolmentOutcome, NewFace]],
    gallery: Gallery,
    collection: str,
    contract: str,
    rule: DuplicateRule,
    replace: bool,
) -> list[tuple[EnrolmentOutcome, NewFace]]:
    """Complete the outcomes of faces that resemble another subject, and return the faces to enrol."""
    found = await duplicates(gallery, collection, contract, [face for _, face in fit], rule, replace=replace)
    for (outcome, _), hit in zip(fit, found, strict=True):
        if hit:
            error = duplicate_error(hit)
            outcome.duplicate, outcome.refused = hit, error if rule.policy == "refuse" else None
            outcome.reasons.append(Reason(error.code, error.message))
    return [(outcome, face) for outcome, face in fit if not outcome.refused]


def _judged(number: int, found: Photo | RequestError, rules: EnrolmentRules) -> list[EnrolmentOutcome]:
    """Return the outcomes of a photo's faces, judged by the detector's result alone."""
    if isinstance(found, RequestError):
        return [EnrolmentOutcome(number, refused=found)]
    try:
        the_face(found, rules.pick)
    except RequestError as refused:
        return [EnrolmentOutcome(number, refused=refused, photo=found)]
    outcomes = []
    for face in range(len(found.faces)):
        against = reasons(found, face, rules.settings)
        poor = _refusal(against[0]) if against and rules.quality == "require" else None
        outcomes.append(EnrolmentOutcome(number, refused=poor, photo=found, face=face, reasons=against))
    return outcomes


def _refusal(reason: Reason) -> RequestError:
    return RequestError(reason.code, reason.message)
