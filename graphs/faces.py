"""Find the faces of photos and run models on them. All other flows build on this one."""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate

import numpy as np
from numpy.typing import NDArray

from graphs.batches import BATCH_BYTES, BATCH_FACES, crop_bytes, split_by_size
from graphs.stages import DetectionRequest, DetectorStage, FaceStage
from imaging.crops import CropSpec
from imaging.faces import Detection, Face, Photo, Pixels
from imaging.pick import Pick
from project.request_error import RequestError
from telemetry.request_record import count_outcome

Readings = Mapping[str, NDArray[np.float32]]
"""Outputs of the models for n faces, by role: float32 (n, *shape), where the card gives the shape."""

Select = Callable[[int, Photo | RequestError], Sequence[int]]
"""Chooses the faces to run the models on, given the index of a photo and the detector's result for it.

Returns indices of faces. Raises `RequestError` to reject the whole request.
"""


@dataclass(frozen=True, slots=True, eq=False)
class ExaminedPhoto:
    """A photo, its faces, and the models' outputs for them.

    Attributes:
        photo: result of the detector.
        asked: indices of the faces that the models were run on.
        readings: outputs for those faces, in the same order.
        crops: uint8 (asked, size, size, 3) RGB, the first crop for the stage `keep_crops_of`; None if there are none.
    """

    photo: Photo
    asked: tuple[int, ...]
    readings: Readings
    crops: Pixels | None


@dataclass(frozen=True, slots=True, eq=False)
class Examination:
    """The photos of a request after examination.

    Attributes:
        photos: one entry per photo, in order; a `RequestError` if the photo could not be decoded.
        seconds: time spent waiting for the models, which run concurrently.
    """

    photos: tuple[ExaminedPhoto | RequestError, ...]
    seconds: float


def every_face(number: int, found: Photo | RequestError) -> Sequence[int]:
    """Choose all faces."""
    return () if isinstance(found, RequestError) else range(len(found.faces))


async def faces(
    detector: DetectorStage,
    photos: Sequence[bytes],
    pick: Pick,
    networks: Sequence[FaceStage],
    *,
    select: Select = every_face,
    keep_crops_of: FaceStage | None = None,
) -> Examination:
    """Find the faces that count in encoded `photos`, and run `networks` on them.

    Photos are sent to the detector in batches, so that photos and crops fit into messages between replicas. If the
    crops of a single photo do not fit, fewer faces are cropped; `Photo.found` still counts all of them.

    Args:
        select: chooses the faces to run the models on.
        keep_crops_of: one of `networks`, whose first crop is returned.

    Raises:
        RequestError: raised by `select`, before the models run on the photo's batch; or a stage is not available.
        ValueError: a model's output is not finite.
    """
    specs = tuple(dict.fromkeys(spec for network in networks for spec in network.card.crops))
    if per_face := crop_bytes(specs):
        pick = replace(pick, most=min(pick.most, max(BATCH_BYTES // per_face, 1)))
    examined, seconds = list[ExaminedPhoto | RequestError](), 0.0
    for batch in split_by_size([max(len(photo), pick.cut * per_face) for photo in photos]):
        detection = await detector.ask(DetectionRequest(photos[batch], specs, pick))
        _count_outcomes(detection)
        asked = [tuple(select(number, found)) for number, found in enumerate(detection.photos, len(examined))]
        rows = [start + face for start, faces in zip(_starts(detection), asked, strict=True) for face in faces]
        started = time.perf_counter()
        readings = await _read(detection, rows, networks)
        seconds += time.perf_counter() - started
        kept = detection.crops[keep_crops_of.card.crops[0]][rows] if keep_crops_of and rows else None
        stop = 0
        for found, faces_asked in zip(detection.photos, asked, strict=True):
            start, stop = stop, stop + len(faces_asked)
            if isinstance(found, RequestError):
                examined.append(found)
                continue
            own = {role: reading[start:stop] for role, reading in readings.items()}
            examined.append(ExaminedPhoto(found, faces_asked, own, None if kept is None else kept[start:stop]))
    return Examination(tuple(examined), seconds)


async def faces_of(
    detector: DetectorStage,
    photo: bytes,
    pick: Pick,
    networks: Sequence[FaceStage],
    keep_crops_of: FaceStage | None = None,
) -> tuple[ExaminedPhoto, float]:
    """Examine one photo, as `faces` does, and return it with the time spent waiting for the models, in seconds.

    Raises:
        RequestError: the photo cannot be decoded, or has several faces where `pick` allows one.
        ValueError: a model's output is not finite.
    """

    def select(number: int, found: Photo | RequestError) -> Sequence[int]:
        if isinstance(found, RequestError):
            raise found
        check_one(found, pick)
        return every_face(number, found)

    examination = await faces(detector, [photo], pick, networks, select=select, keep_crops_of=keep_crops_of)
    [examined] = examination.photos
    assert isinstance(examined, ExaminedPhoto)
    return examined, examination.seconds


async def embedding_of(
    detector: DetectorStage, embedder: FaceStage, photo: bytes, pick: Pick
) -> tuple[Photo, Face, NDArray[np.float32]]:
    """Return the detector's result for a photo, the picked face, and its embedding: float32 (size) of length 1.

    Args:
        photo: an encoded photo.
        pick: must pick a single face.

    Raises:
        RequestError: the photo cannot be decoded, or as raised by `the_face`.
        ValueError: the embedding is not finite.
    """
    examined, _ = await faces_of(detector, photo, pick, [embedder])
    return examined.photo, the_face(examined.photo, pick), examined.readings[embedder.role][0]


def the_face(photo: Photo, pick: Pick) -> Face:
    """Return the picked face of `photo`, which is its first.

    Raises:
        RequestError: ``NO_FACE_DETECTED``; or ``MULTIPLE_FACES_DETECTED`` if `pick` allows one.
    """
    if not photo.faces:
        raise RequestError("NO_FACE_DETECTED", "No face detected")
    check_one(photo, pick)
    return photo.faces[0]


def check_one(photo: Photo, pick: Pick) -> None:
    """Raise `RequestError` ``MULTIPLE_FACES_DETECTED`` if `pick` allows one face and `photo` has more."""
    if pick.rule == "one" and photo.found > 1:
        raise RequestError(
            "MULTIPLE_FACES_DETECTED", f"Multiple faces detected ({photo.found}). Exactly one face is required"
        )


def _count_outcomes(detection: Detection) -> None:
    for photo in detection.photos:
        if isinstance(photo, RequestError):
            count_outcome("photo", photo.code)
        else:
            count_outcome("photo", "decoded")
            count_outcome("face", "found", photo.found)


def _starts(detection: Detection) -> list[int]:
    """Index of each photo's first face among the faces of all photos."""
    counts = [0 if isinstance(photo, RequestError) else len(photo.faces) for photo in detection.photos]
    return list(accumulate(counts, initial=0))[:-1]


async def _read(detection: Detection, rows: Sequence[int], networks: Sequence[FaceStage]) -> Readings:
    """Run the models on these faces concurrently, with at most `BATCH_FACES` faces per call.

    If one fails, the calls of the others are cancelled, and its error is raised.
    """

    async def ask(network: FaceStage) -> NDArray[np.float32]:
        card = network.card
        if not rows:
            return np.zeros((0, *card.shape), np.float32)
        parts = [list(rows[start : start + BATCH_FACES]) for start in range(0, len(rows), BATCH_FACES)]
        answers = [await network.ask(_cut(detection, card.crops, part)) for part in parts]
        answer = np.concatenate(answers)
        if not np.isfinite(answer).all():
            raise ValueError(f"{card.name} returned numbers that are not finite")
        return answer

    try:
        async with asyncio.TaskGroup() as calls:
            readings = {network.role: calls.create_task(ask(network)) for network in networks}
    except ExceptionGroup as failed:
        raise failed.exceptions[0] from None
    return {role: reading.result() for role, reading in readings.items()}


def _cut(detection: Detection, specs: Sequence[CropSpec], rows: list[int]) -> tuple[Pixels, ...]:
    return tuple(detection.crops[spec][rows] for spec in specs)
