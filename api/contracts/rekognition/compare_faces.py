"""CompareFaces."""

import asyncio
from collections.abc import Sequence
from typing import Any

from api.contracts.rekognition.embedders import similarity_scale
from api.contracts.rekognition.face_details import bounding_box, confidence, detail_stages, examined_detail
from api.contracts.rekognition.face_quality import poor_faces
from api.contracts.rekognition.operation import AwsCall
from api.contracts.rekognition.requests import AwsModel, Image, Percent, QualityFilter
from graphs.compare import distances
from graphs.faces import ExaminedPhoto, faces
from graphs.stages import FaceStage
from imaging.faces import Photo
from imaging.pick import ALL_FACES
from models.tasks.embedder import EMBEDDER
from project.request_error import RequestError
from telemetry.request_record import count_match

NAMES = ("SourceImage", "TargetImage")


class CompareFacesRequest(AwsModel):
    """Two photos: the largest face of the first is compared with each face of the second."""

    source_image: Image
    target_image: Image
    similarity_threshold: Percent = 80
    quality_filter: QualityFilter = "NONE"


async def compare_faces(call: AwsCall, request: CompareFacesRequest) -> dict[str, Any]:
    """Compare the largest face of one photo with each face of another."""
    service, stages = call.service, call.service.stages
    embedder, details = stages.network(EMBEDDER.name, None), detail_stages(stages, ())
    scale = similarity_scale(embedder)
    images = request.source_image, request.target_image
    photos = [image.photo(service, name) for image, name in zip(images, NAMES, strict=True)]

    def select(number: int, found: Photo | RequestError) -> Sequence[int]:
        if isinstance(found, RequestError):
            raise RequestError(found.code, f"{NAMES[number]}: {found.message}")
        poor = poor_faces(found, service.settings, request.quality_filter)
        good = [face for face in range(len(found.faces)) if face not in poor]
        if not good:
            raise RequestError("INVALID_REQUEST", f"{NAMES[number]}: the photo has no face that can be compared")
        return good if number else [max(good, key=lambda face: found.faces[face].area)]

    async def examined(number: int, networks: Sequence[FaceStage]) -> ExaminedPhoto:
        examination = await faces(
            stages.detector(None),
            [photos[number]],
            ALL_FACES,
            networks,
            select=lambda _, found: select(number, found),
        )
        [photo] = examination.photos
        assert isinstance(photo, ExaminedPhoto)
        return photo

    # Two calls at once: with room for the crops of all faces, one call would detect the photos one after the other.
    source, target = await asyncio.gather(
        examined(0, [embedder]), examined(1, [embedder, *details.values()]), return_exceptions=True
    )
    if isinstance(source, BaseException):
        raise source
    if isinstance(target, BaseException):
        raise target
    [probe] = source.readings[embedder.role]
    percents = [scale.percent(distances(probe, embedding).cosine) for embedding in target.readings[embedder.role]]
    described = [(percent, examined_detail(target, row, details)) for row, percent in enumerate(percents)]
    best_first = sorted(described, key=lambda face: -face[0])
    matches = [(percent, face) for percent, face in best_first if percent >= request.similarity_threshold]
    count_match(bool(matches))
    [index] = source.asked
    return {
        "SourceImageFace": {
            "BoundingBox": bounding_box(source.photo, index),
            "Confidence": confidence(source.photo, index),
        },
        "FaceMatches": [{"Similarity": percent, "Face": face} for percent, face in matches],
        "UnmatchedFaces": [face for percent, face in best_first if percent < request.similarity_threshold],
    }
