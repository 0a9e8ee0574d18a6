"""What every flow begins with: from photos to faces, and from faces to embeddings and live probabilities."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from graphs.batches import BATCH_BYTES, BATCH_FACES, batches, crop_bytes
from graphs.stages import DetectorStage, EmbedderStage, LivenessStage
from imaging.crops import CropSpec
from imaging.faces import Detection, Face, Photo, Pixels
from imaging.pick import Pick
from imaging.refused import Refused
from telemetry.timing import note

Network = LivenessStage | EmbedderStage


@dataclass(frozen=True, slots=True, eq=False)
class Readings:
    """What the networks say of n faces.

    Attributes:
        live: float32 (n), the live probability; None where liveness was not asked.
        embeddings: float32 (n, size) of length 1; None where no embedder was asked.
        crops: uint8 (n, side, side, 3) RGB, what the embedder was given, of several the first; None where none was.
        seconds: time that the networks took together.
    """

    live: NDArray[np.float32] | None
    embeddings: NDArray[np.float32] | None
    crops: Pixels | None
    seconds: float


@dataclass(frozen=True, slots=True, eq=False)
class Look:
    """What the networks say of a photo's faces.

    Attributes:
        photo: what was found in it.
        readings: of its faces.
    """

    photo: Photo
    readings: Readings


@dataclass(frozen=True, slots=True, eq=False)
class EmbeddedFace:
    """A face of a photo.

    Attributes:
        photo: what was found in it.
        face: the one that was embedded.
        embedding: float32 (size) of length 1.
    """

    photo: Photo
    face: Face
    embedding: NDArray[np.float32]


async def detections(
    detector: DetectorStage, photos: Sequence[bytes], pick: Pick, *networks: Network | None
) -> AsyncIterator[Detection]:
    """Find the faces of encoded `photos` that count, with the crops that `networks` take of them, batch by batch.

    Batches keep the order of `photos`. The photos of a batch, and the crops of as many faces as `pick` cuts, fit into
    messages between replicas. If the crops of one photo would not, fewer faces are cut; `Photo.found` counts them all.
    """
    crops = _crops(*networks)
    bytes_per_face = crop_bytes(crops)
    if bytes_per_face:
        pick = replace(pick, most=min(pick.most, max(BATCH_BYTES // bytes_per_face, 1)))
    for batch in batches([max(len(photo), pick.cut * bytes_per_face) for photo in photos]):
        detection = await detector.detect(photos[batch], crops, pick)
        for photo in detection.photos:
            if isinstance(photo, Refused):
                note("photo", photo.code)
            else:
                note("photo", "decoded")
                note("face", "found", photo.found)
        yield detection


async def detect(detector: DetectorStage, photos: Sequence[bytes], pick: Pick, *networks: Network | None) -> Detection:
    """The same for a few photos, as one detection."""
    parts = [part async for part in detections(detector, photos, pick, *networks)]
    return parts[0] if len(parts) == 1 else Detection.joined(parts, _crops(*networks))


def _crops(*networks: Network | None) -> tuple[CropSpec, ...]:
    """The crops that `networks` take of a face, each once."""
    return tuple(dict.fromkeys(spec for network in networks if network for spec in network.crops))


async def read(
    detection: Detection, faces: Sequence[int], liveness: LivenessStage | None, embedder: EmbedderStage | None
) -> Readings:
    """Ask the networks, side by side, about some of the faces, at most `BATCH_FACES` in one call.

    Args:
        faces: their places among the faces of all photos, as `places` counts them.

    Raises:
        ValueError: a network's answer is not finite.
    """

    async def ask(network: Network | None) -> NDArray[np.float32] | None:
        if network is None:
            return None
        if not faces:
            return np.zeros(0, np.float32)
        method = network.embed if isinstance(network, EmbedderStage) else network.score
        parts = [faces[start : start + BATCH_FACES] for start in range(0, len(faces), BATCH_FACES)]
        answers = [await method(*(detection.crops[spec][list(part)] for spec in network.crops)) for part in parts]
        answer = np.concatenate(answers)
        if not np.isfinite(answer).all():
            raise ValueError(f"{network.network.model} gave what is not finite")
        return answer

    started = time.perf_counter()
    live, embeddings = await asyncio.gather(ask(liveness), ask(embedder))
    seconds = time.perf_counter() - started
    given = detection.crops[embedder.crops[0]][list(faces)] if embedder and faces else None
    return Readings(live, embeddings, given, seconds)


async def look(
    detector: DetectorStage,
    liveness: LivenessStage | None,
    embedder: EmbedderStage | None,
    photo: bytes,
    pick: Pick,
) -> Look:
    """Find the faces of an encoded photo that count, and ask the networks about them.

    Raises:
        Refused: the photo cannot be decoded, or has several faces where `pick` wants one.
        ValueError: a network gave what is no number.
    """
    detection = await detect(detector, [photo], pick, liveness, embedder)
    [found] = detection.photos
    if isinstance(found, Refused):
        raise found
    check_one(found, pick)
    return Look(found, await read(detection, places(detection)[0], liveness, embedder))


async def embed(detector: DetectorStage, embedder: EmbedderStage, data: bytes, pick: Pick) -> EmbeddedFace:
    """Embed the one face of an encoded photo that counts.

    Args:
        pick: with a rule that picks one face.

    Raises:
        Refused: the photo cannot be decoded, or as `the_face` raises it.
        ValueError: the network gave what is no number.
    """
    detection = await detect(detector, [data], pick, embedder)
    [photo] = detection.photos
    if isinstance(photo, Refused):
        raise photo
    face = the_face(photo, pick)
    embeddings = (await read(detection, [0], None, embedder)).embeddings
    assert embeddings is not None
    return EmbeddedFace(photo, face, embeddings[0])


def places(detection: Detection) -> list[range]:
    """Where the faces of each photo stand among the faces of all photos."""
    ranges, start = [], 0
    for photo in detection.photos:
        stop = start + (len(photo.faces) if isinstance(photo, Photo) else 0)
        ranges.append(range(start, stop))
        start = stop
    return ranges


def the_face(photo: Photo, pick: Pick) -> Face:
    """The face of `photo` that counts, its first.

    Raises:
        Refused: ``NO_FACE_DETECTED``; or ``MULTIPLE_FACES_DETECTED`` where `pick` wants one.
    """
    if not photo.faces:
        raise Refused("NO_FACE_DETECTED", "No face detected")
    check_one(photo, pick)
    return photo.faces[0]


def check_one(photo: Photo, pick: Pick) -> None:
    """Raise `Refused`: ``MULTIPLE_FACES_DETECTED``: `pick` wants one face, and `photo` has more."""
    if pick.rule == "one" and photo.found > 1:
        raise Refused(
            "MULTIPLE_FACES_DETECTED", f"Multiple faces detected ({photo.found}). Exactly one face is required"
        )
