"""Stages for requests that are made up from the OpenAPI document: any bytes may be a photo, any crop a face."""

import hashlib
from collections.abc import Sequence
from typing import cast

import numpy as np
from numpy.typing import NDArray

from graphs.stages import DetectorStage, EmbedderStage, Gallery, LivenessStage, Stages
from imaging.crops import CropSpec
from imaging.faces import Detection, Photo, Pixels
from imaging.pick import Pick
from imaging.refused import Refused
from tests.fakes import EMBEDDER_CROP, LIVENESS_CROP, LocalGallery, is_ready, network, photo

CONTRACT = "499f2c0ac50eba0c"
"""That of the document's examples, whose embeddings have `SIZE` numbers, so that they are of use here."""
SIZE = 3


async def detect(photos: Sequence[bytes], crops: Sequence[CropSpec], pick: Pick) -> Detection:
    """Find one face in most photos, and none, two or no photo at all in some, by their bytes."""
    found = [_found(data) for data in photos]
    faces = sum(len(each.faces) for each in found if isinstance(each, Photo))
    return Detection(tuple(found), {spec: np.zeros((faces, spec.size, spec.size, 3), np.uint8) for spec in crops})


def _found(data: bytes) -> Photo | Refused:
    chance = hashlib.sha256(data).digest()[0]
    if chance < 32:
        return Refused("INVALID_IMAGE", "The image is damaged and cannot be decoded")
    return photo(faces=() if chance < 64 else (0.99, 0.9) if chance < 96 else (0.99,))


async def score(*crops: Pixels) -> NDArray[np.float32]:
    return np.linspace(0.9, 0.1, len(crops[0]), dtype=np.float32)


async def embed(*crops: Pixels) -> NDArray[np.float32]:
    return np.eye(SIZE, dtype=np.float32)[np.arange(len(crops[0])) % SIZE]


def stages(gallery: LocalGallery) -> Stages:
    """Every stage that any route asks for."""
    detector = DetectorStage(network("detector"), is_ready, detect)
    embedder = EmbedderStage(network("embedder"), is_ready, (EMBEDDER_CROP,), SIZE, CONTRACT, 0.4, embed)
    return Stages(
        detectors={"mtcnn": detector, "mediapipe": detector},
        liveness={"crmnet": LivenessStage(network("liveness"), is_ready, (LIVENESS_CROP,), score)},
        embedders={"arcface": embedder, "facenet": embedder},
        gallery=cast(Gallery, gallery),
    )
