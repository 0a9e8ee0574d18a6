"""The flow of enrolment: photos in, faces in the gallery, and for each photo what became of it."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from gallery.operations import Gallery
from gallery.records import Enrolled, NewFace, photo_source
from graphs.extract import Readings, detections, places, read, the_face
from graphs.gate import Reason, reasons
from graphs.policy import Policy
from graphs.stages import DetectorStage, EmbedderStage, LivenessStage
from imaging.faces import Photo
from imaging.pick import Pick
from imaging.refused import Refused
from telemetry.timing import note


@dataclass(frozen=True, slots=True)
class Enrolment:
    """A photo to enrol: whose face it shows, what people call it, and its bytes."""

    subject: str
    label: str
    photo: bytes


@dataclass(frozen=True, slots=True)
class Rules:
    """What a photo has to be.

    Attributes:
        pick: which faces of the photo count; with the rule ``all``, each of them is enrolled for its subject.
        quality: ``require`` refuses a face that is not good enough, ``report`` enrols it all the same.
        require_live: whether a spoof is refused; asked only where there is a liveness stage.
    """

    pick: Pick
    quality: Literal["report", "require"] = "require"
    require_live: bool = False


@dataclass(slots=True, eq=False)
class Outcome:
    """What became of one face of a photo, or of a photo without one.

    Attributes:
        number: of the photo among those of the request.
        enrolled: its face in the gallery; None where it was refused.
        refused: why it was.
        photo: what was found in it; None if it could not be read.
        face: index of the face; None without one.
        live: its live probability, where liveness was asked.
        reasons: all that speaks against the face, even if it was enrolled.
    """

    number: int
    enrolled: Enrolled | None = None
    refused: Refused | None = None
    photo: Photo | None = None
    face: int | None = None
    live: float | None = None
    reasons: list[Reason] = field(default_factory=list)


async def enrol(
    detector: DetectorStage,
    liveness: LivenessStage | None,
    embedder: EmbedderStage,
    gallery: Gallery,
    collection: str,
    photos: Sequence[Enrolment],
    rules: Rules,
    policy: Policy,
    *,
    replace: bool = False,
    request: tuple[str, str] | None = None,
) -> list[Outcome]:
    """Enrol the faces of each photo that count; all that are good enough in one commit.

    Args:
        replace, request: see `gallery.writer.Writer.enrol`.

    Returns:
        One outcome per photo, in order; with the rule ``all``, one per face of it.

    Raises:
        Refused: what concerns the request as a whole, as the gallery raises it.
        ValueError: a network gave what is no number.
    """
    outcomes: list[Outcome] = []
    fit: list[tuple[Outcome, NewFace]] = []
    first = 0
    async for detection in detections(detector, [entry.photo for entry in photos], rules.pick, liveness, embedder):
        judged = [
            outcome
            for number, found in enumerate(detection.photos, first)
            for outcome in _judged(number, found, rules, policy)
        ]
        rows = places(detection)
        asked = [
            (outcome, rows[outcome.number - first][outcome.face])
            for outcome in judged
            if not outcome.refused and outcome.face is not None
        ]
        readings = await read(detection, [row for _, row in asked], liveness, embedder)
        fit += _fit([outcome for outcome, _ in asked], readings, photos, rules, policy)
        outcomes += judged
        first += len(detection.photos)
    if fit:
        faces = [face for _, face in fit]
        answers = await gallery.enrol(collection, embedder.contract, faces, replace=replace, request=request)
        for (outcome, _), answer in zip(fit, answers, strict=True):
            outcome.enrolled = answer
    note("enrolment", "refused", sum(outcome.refused is not None for outcome in outcomes))
    return outcomes


def _fit(
    asked: Sequence[Outcome], readings: Readings, photos: Sequence[Enrolment], rules: Rules, policy: Policy
) -> list[tuple[Outcome, NewFace]]:
    """Choose the faces to enrol among those that were `asked` about, and note in their outcomes which are spoofs."""
    assert readings.embeddings is not None
    fit = []
    for place, (outcome, embedding) in enumerate(zip(asked, readings.embeddings, strict=True)):
        if readings.live is not None:
            outcome.live = float(readings.live[place])
            if not policy.is_live(outcome.live):
                spoof = Reason("NOT_LIVE", f"The face looks like a spoof: live probability {outcome.live:.2f}")
                outcome.reasons.append(spoof)
                if rules.require_live:
                    outcome.refused = _refusal(spoof)
        if not outcome.refused:
            entry = photos[outcome.number]
            number = outcome.face if rules.pick.rule == "all" else None
            source = photo_source(hashlib.sha256(entry.photo).hexdigest(), number)
            fit.append((outcome, NewFace(entry.subject, source, entry.label, embedding)))
    return fit


def _judged(number: int, found: Photo | Refused, rules: Rules, policy: Policy) -> list[Outcome]:
    """The faces of a photo that count, before any network but the detector has seen them."""
    if isinstance(found, Refused):
        return [Outcome(number, refused=found)]
    try:
        the_face(found, rules.pick)
    except Refused as refused:
        return [Outcome(number, refused=refused, photo=found)]
    outcomes = []
    for face in range(len(found.faces)):
        against = reasons(found, face, policy)
        poor = _refusal(against[0]) if against and rules.quality == "require" else None
        outcomes.append(Outcome(number, refused=poor, photo=found, face=face, reasons=against))
    return outcomes


def _refusal(reason: Reason) -> Refused:
    return Refused(reason.code, reason.message)
