"""Counts the faces that the enrolment gate would reject or report, by reason."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from evaluation.answers import examine
from evaluation.intervals import Share
from graphs.faces import ExaminedPhoto
from graphs.flow_settings import FlowSettings
from graphs.gate import Reason, attribute_reasons, reasons
from graphs.stages import DetectorStage, FaceStage
from models.card import Card
from project.request_error import RequestError


@dataclass(frozen=True, slots=True)
class CountedReason:
    """A reason of the gate and the faces that it applies to.

    Attributes:
        card: name of the model that measured it.
        refuses: whether the gate rejects such a face if quality is required. If not, it only reports the reason.
    """

    code: str
    card: str
    refuses: bool
    faces: Share


@dataclass(frozen=True, slots=True)
class GateCounts:
    """What the gate would do with the prominent faces of photos.

    Attributes:
        photos: number of photos.
        undecoded: number of photos that the decode gate rejects, by code.
        faceless: number of photos without a face.
        reasons: those that occurred, most frequent first.
        refused: faces with at least one reason for which the gate rejects them. None if there is no face.
    """

    photos: int
    undecoded: Mapping[str, int]
    faceless: int
    reasons: tuple[CountedReason, ...]
    refused: Share | None


def count_reasons(
    photos: Iterable[Path], detector: DetectorStage, attributes: Sequence[FaceStage], settings: FlowSettings
) -> GateCounts:
    """Judge the prominent face of each photo by every reason, even if one of them already rejects it.

    Args:
        attributes: stages for the tasks pose and eyes, whose outputs the gate also judges.

    Raises:
        ModelError: a photo cannot be read.
    """
    examined = examine(photos, detector, attributes)
    undecoded = Counter(each.code for each in examined if isinstance(each, RequestError))
    found = [each for each in examined if isinstance(each, ExaminedPhoto) and each.asked]
    judged = [_judged(each, detector, attributes, settings) for each in found]
    counts = Counter(reason for each in judged for reason in each)
    refused = sum(any(refuses for _, _, refuses in each) for each in judged)
    return GateCounts(
        len(examined),
        dict(undecoded),
        len(examined) - undecoded.total() - len(found),
        tuple(CountedReason(*reason, Share(count, len(found))) for reason, count in counts.most_common()),
        Share(refused, len(found)) if found else None,
    )


def _judged(
    examined: ExaminedPhoto, detector: DetectorStage, attributes: Sequence[FaceStage], settings: FlowSettings
) -> list[tuple[str, str, bool]]:
    """Return the codes of the reasons, with the card that each comes from and whether it rejects the face."""
    found: list[tuple[Card, Iterable[Reason]]] = [(detector.card, reasons(examined.photo, 0, settings))]
    for stage in attributes:
        reading = {stage.card.task: examined.readings[stage.role][0]}
        found.append((stage.card, attribute_reasons(settings, reading)))
    return [(reason.code, card.name, reason.refuses) for card, against in found for reason in against]
