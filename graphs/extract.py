"""What every flow begins with: from photos to faces, and from faces to embeddings and live probabilities."""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from graphs.stages import DetectorStage, EmbedderStage, LivenessStage
from graphs.timing import note
from imaging.faces import Detection, Face, Photo, Pixels, Wanted
from imaging.refused import Refused

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
        faces: those that were looked at, in the photo's order.
        readings: of these faces.
    """

    photo: Photo
    faces: Sequence[Face]
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


async def detect(
    detector: DetectorStage, photos: Sequence[bytes], *networks: Network | None, wanted: Wanted = "all"
) -> Detection:
    """Find the `wanted` faces of encoded `photos`, with the crops that `networks` take of them."""
    crops = [spec for network in networks if network for spec in network.crops]
    detection = await detector.detect(photos, tuple(dict.fromkeys(crops)), wanted)
    for photo in detection.photos:
        if isinstance(photo, Refused):
            note("photo", photo.code)
        else:
            note("photo", "decoded")
            note("face", "found", len(photo.faces))
    return detection


async def read(
    detection: Detection, faces: Sequence[int], liveness: LivenessStage | None, embedder: EmbedderStage | None
) -> Readings:
    """Ask the networks, side by side, about some of the faces.

    Args:
        faces: their places among the faces of all photos, as `places` counts them.

    Raises:
        ValueError: a network gave what is no number.
    """

    async def ask(network: Network | None) -> NDArray[np.float32] | None:
        if network is None:
            return None
        if not faces:
            return np.zeros(0, np.float32)
        method = network.embed if isinstance(network, EmbedderStage) else network.score
        answer = await method(*(detection.crops[spec][list(faces)] for spec in network.crops))
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
    max_faces: int,
) -> Look:
    """Find up to `max_faces` faces in an encoded photo, best score first, and ask the networks about them.

    Raises:
        Refused: the photo cannot be decoded.
        ValueError: a network gave what is no number.
    """
    detection = await detect(detector, [photo], liveness, embedder)
    [found] = detection.photos
    if isinstance(found, Refused):
        raise found
    rows = places(detection)[0][:max_faces]
    return Look(found, found.faces[:max_faces], await read(detection, rows, liveness, embedder))


async def embed(
    detector: DetectorStage,
    embedder: EmbedderStage,
    data: bytes,
    choose: Callable[[Photo], int],
    wanted: Wanted = "all",
) -> EmbeddedFace:
    """Embed the face that `choose` picks of the `wanted` ones of an encoded photo.

    Raises:
        Refused: the photo cannot be decoded, or as `choose` raises it.
        ValueError: the network gave what is no number.
    """
    detection = await detect(detector, [data], embedder, wanted=wanted)
    [photo] = detection.photos
    if isinstance(photo, Refused):
        raise photo
    chosen = choose(photo)
    embeddings = (await read(detection, [chosen], None, embedder)).embeddings
    assert embeddings is not None
    return EmbeddedFace(photo, photo.faces[chosen], embeddings[0])


def places(detection: Detection) -> list[range]:
    """Where the faces of each photo stand among the faces of all photos."""
    ranges, start = [], 0
    for photo in detection.photos:
        stop = start + (len(photo.faces) if isinstance(photo, Photo) else 0)
        ranges.append(range(start, stop))
        start = stop
    return ranges


def only(photo: Photo) -> int:
    """The one face of `photo`, by its index.

    Raises:
        Refused: ``NO_FACE_DETECTED`` or ``MULTIPLE_FACES_DETECTED``.
    """
    if len(photo.faces) > 1:
        raise Refused(
            "MULTIPLE_FACES_DETECTED",
            f"Multiple faces detected ({len(photo.faces)}). Exactly one face is required",
        )
    return largest(photo)


def largest(photo: Photo) -> int:
    """The face of `photo` with the largest box, by its index.

    Raises:
        Refused: ``NO_FACE_DETECTED``.
    """
    if not photo.faces:
        raise Refused("NO_FACE_DETECTED", "No face detected")
    return max(range(len(photo.faces)), key=lambda index: photo.faces[index].area)
