"""The flow of POST /match: two photos of one face each, alive or not, the same person or not.

Both photos travel in one call a stage, and liveness and embedding run side by side.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from graphs.compare import Distances, distances
from graphs.settings import Policy
from graphs.stages import DetectorStage, EmbedderStage, LivenessStage
from imaging.faces import Detection, Photo
from imaging.refused import Refused

NAMES = ("Image1", "Image2")


@dataclass(frozen=True, slots=True, eq=False)
class Match:
    """What was found.

    Attributes:
        photos: the two photos, of exactly one face each.
        live: live probability of each face.
        embeddings: float32 (2, size).
        distances: between the two embeddings.
    """

    photos: tuple[Photo, Photo]
    live: tuple[float, float]
    embeddings: NDArray[np.float32]
    distances: Distances


async def match(
    detector: DetectorStage,
    liveness: LivenessStage,
    embedder: EmbedderStage,
    pair: tuple[bytes, bytes],
    policy: Policy,
) -> Match:
    """Compare the faces of two encoded photos.

    Raises:
        Refused: a photo cannot be decoded, is not good enough, or has no face or several. The message
            names the photo.
        ValueError: a network gave what is no number.
    """
    detection = await detector.detect(pair, (*liveness.crops, *embedder.crops))
    first, second = (_usable(name, found, policy) for name, found in zip(NAMES, detection.photos, strict=True))
    live, embeddings = await asyncio.gather(
        liveness.score(*_crops(detection, liveness)), embedder.embed(*_crops(detection, embedder))
    )
    if not np.isfinite(live).all():
        raise ValueError("a live probability is not finite")
    return Match((first, second), (float(live[0]), float(live[1])), embeddings, distances(*embeddings))


def _crops(detection: Detection, stage: LivenessStage | EmbedderStage) -> Sequence[NDArray[np.uint8]]:
    return [detection.crops[spec] for spec in stage.crops]


def _usable(name: str, found: Photo | Refused, policy: Policy) -> Photo:
    if isinstance(found, Refused):
        raise Refused(found.code, f"{name} could not be loaded: {found.message}")
    if issue := _quality_issue(found, policy):
        raise Refused("LOW_QUALITY", f"{name} quality issue: {issue}")
    if not found.faces:
        raise Refused("NO_FACE_DETECTED", f"{name} face detection failed: No face detected")
    if len(found.faces) > 1:
        count = len(found.faces)
        raise Refused(
            "MULTIPLE_FACES_DETECTED",
            f"{name} face detection failed: Multiple faces detected ({count}). Exactly one face is required",
        )
    return found


def _quality_issue(photo: Photo, policy: Policy) -> str | None:
    """The first thing that makes `photo` not good enough, in the words of the contract."""
    quality, side = photo.quality, policy.min_side
    if photo.width < side or photo.height < side:
        return f"Image too small: {photo.width}x{photo.height}. Minimum size: {side}x{side}"
    if quality.brightness < policy.min_brightness:
        return f"Image too dark: brightness {quality.brightness:.1f}. Minimum: {policy.min_brightness:g}"
    if quality.brightness > policy.max_brightness:
        return f"Image too bright: brightness {quality.brightness:.1f}. Maximum: {policy.max_brightness:g}"
    if quality.contrast < policy.min_contrast:
        return f"Image contrast too low: {quality.contrast:.1f}. Minimum: {policy.min_contrast:g}"
    return None
