"""Stages for requests generated from the OpenAPI document: any bytes may be a photo, any crop a face."""

import hashlib

import numpy as np
from numpy.typing import NDArray

from graphs.stages import DetectionRequest, FaceCrops, Stages
from imaging.faces import Detection, Photo
from imaging.refused import Refused
from tests.fakes import detector, embedder, liveness, photo, stages_of
from tests.local_gallery import LocalGallery

CONTRACT = "499f2c0ac50eba0c"
"""The contract of the document's example embeddings, which have `SIZE` numbers."""
SIZE = 3


async def detect(question: DetectionRequest) -> Detection:
    photos, crops = question.photos, question.crops
    """Find one face in most photos. By their bytes, some have none or two, and some cannot be decoded."""
    found = [_found(data) for data in photos]
    faces = sum(len(each.faces) for each in found if isinstance(each, Photo))
    return Detection(tuple(found), {spec: np.zeros((faces, spec.size, spec.size, 3), np.uint8) for spec in crops})


def _found(data: bytes) -> Photo | Refused:
    chance = hashlib.sha256(data).digest()[0]
    if chance < 32:
        return Refused("INVALID_IMAGE", "The image is damaged and cannot be decoded")
    return photo(faces=() if chance < 64 else (0.99, 0.9) if chance < 96 else (0.99,))


async def score(crops: FaceCrops) -> NDArray[np.float32]:
    return np.linspace(0.9, 0.1, len(crops[0]), dtype=np.float32)


async def embed(crops: FaceCrops) -> NDArray[np.float32]:
    return np.eye(SIZE, dtype=np.float32)[np.arange(len(crops[0])) % SIZE]


def stages(gallery: LocalGallery) -> Stages:
    """Every stage that any route needs."""
    return stages_of(
        *(detector(detect, role=role) for role in ("mtcnn", "mediapipe")),
        liveness(score),
        *(embedder(embed, role=role, size=SIZE, contract=CONTRACT) for role in ("arcface", "facenet")),
        gallery=gallery,
    )
