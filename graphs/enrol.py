"""The flow of enrolment: photos in, faces in the gallery, and for each photo what became of it."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from gallery.records import Enrolled, NewFace
from graphs.extract import detect, largest, only, places, read
from graphs.gate import Reason, reasons
from graphs.settings import Policy
from graphs.stages import DetectorStage, EmbedderStage, Gallery, LivenessStage
from graphs.timing import note
from imaging.faces import Photo, Wanted
from imaging.refused import Refused


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
        several: of several faces the ``largest`` counts, or the photo is refused.
        quality: ``require`` refuses a face that is not good enough, ``report`` enrols it all the same.
        require_live: whether a spoof is refused; asked only where there is a liveness stage.
    """

    several: Literal["refuse", "largest"] = "refuse"
    quality: Literal["report", "require"] = "require"
    require_live: bool = False


@dataclass(slots=True, eq=False)
class Outcome:
    """What became of one photo.

    Attributes:
        enrolled: its face in the gallery; None where it was refused.
        refused: why it was.
        photo: what was found in it; None if it could not be read.
        face: index of the face that counts; None without one.
        live: its live probability, where liveness was asked.
        reasons: all that speaks against the face, even if it was enrolled.
    """

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
    """Enrol one face of each photo; all that are good enough in one commit.

    Args:
        replace, request: see `gallery.writer.Writer.enrol`.

    Returns:
        One outcome a photo, in order.

    Raises:
        Refused: what concerns the request as a whole, as the gallery raises it.
        ValueError: a network gave what is no number.
    """
    wanted: Wanted = "all" if rules.several == "refuse" else "largest"
    detection = await detect(detector, [entry.photo for entry in photos], liveness, embedder, wanted=wanted)
    outcomes = [_judge(found, rules, policy) for found in detection.photos]
    asked = [
        (entry, outcome, place[outcome.face])
        for entry, outcome, place in zip(photos, outcomes, places(detection), strict=True)
        if not outcome.refused and outcome.face is not None
    ]
    readings = await read(detection, [row for _, _, row in asked], liveness, embedder)
    assert readings.embeddings is not None
    fit: list[tuple[Outcome, NewFace]] = []
    for number, ((entry, outcome, _), embedding) in enumerate(zip(asked, readings.embeddings, strict=True)):
        if readings.live is not None:
            outcome.live = float(readings.live[number])
            if outcome.live < policy.liveness_threshold:
                spoof = Reason("NOT_LIVE", f"The face looks like a spoof: live probability {outcome.live:.2f}")
                outcome.reasons.append(spoof)
                if rules.require_live:
                    outcome.refused = _refusal(spoof)
        if not outcome.refused:
            source = hashlib.sha256(entry.photo).hexdigest()
            fit.append((outcome, NewFace(entry.subject, source, entry.label, embedding)))
    if fit:
        faces = [face for _, face in fit]
        answers = await gallery.enrol(collection, embedder.contract, faces, replace=replace, request=request)
        for (outcome, _), answer in zip(fit, answers, strict=True):
            outcome.enrolled = answer
    note("enrolment", "refused", sum(outcome.refused is not None for outcome in outcomes))
    return outcomes


def _judge(found: Photo | Refused, rules: Rules, policy: Policy) -> Outcome:
    """A photo before any network but the detector has seen it."""
    if isinstance(found, Refused):
        return Outcome(refused=found)
    try:
        face = largest(found) if rules.several == "largest" else only(found)
    except Refused as faceless:
        return Outcome(refused=faceless, photo=found)
    against = reasons(found, face, policy)
    refused = _refusal(against[0]) if against and rules.quality == "require" else None
    return Outcome(refused=refused, photo=found, face=face, reasons=against)


def _refusal(reason: Reason) -> Refused:
    return Refused(reason.code, reason.message)
