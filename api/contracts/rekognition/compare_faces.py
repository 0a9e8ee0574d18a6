"""CompareFaces."""

import asyncio
from collections.abc import Sequence
from typing import Any

from api.contracts.rekognition.admitted_faces import admitted_faces
from api.contracts.rekognition.embedders import similarity_scale
from api.contracts.rekognition.face_details import bounding_box, confidence, detail_stages, examined_detail
from api.contracts.rekognition.operation import AwsCall
from api.contracts.rekognition.requests import AwsModel, Image, Percent, QualityFilter
from graphs.compare import distances
from graphs.faces import ExaminedPhoto
from graphs.stages import FaceStage
from imaging.pick import MAX_FACES_ANSWERED
from models.tasks.embedder import EMBEDDER
from project.request_error import RequestError
from telemetry.request_record import count_match


class CompareFacesRequest(AwsModel):
    """Two photos: the largest face of the first is compared with each face of the second."""

    source_image: Image
    target_image: Image
    similarity_threshold: Percent = 80
    quality_filter: QualityFilter = "NONE"


async def compare_faces(call: AwsCall, request: CompareFacesRequest) -> dict[str, Any]:
    """Compare the largest face of one photo with each face of another."""
    stages = call.service.stages
    embedder, details = stages.network(EMBEDDER.name, None), detail_stages(stages, ())
    scale = similarity_scale(embedder)
    source_photo = request.source_image.photo(call.service, "SourceImage")
    target_photo = request.target_image.photo(call.service, "TargetImage")

    async def examined(name: str, photo: bytes, networks: Sequence[FaceStage], max_faces: int) -> ExaminedPhoto:
        found, _ = await admitted_faces(call, photo, networks, request.quality_filter, max_faces=max_faces, name=name)
        if not found.asked:
            raise RequestError("INVALID_REQUEST", f"{name}: the photo has no face that can be compared")
        return found

    # Two concurrent calls, because a single one would detect the photos one after the other if their crops might be
    # too large for one message.
    source, target = await asyncio.gather(
        examined("SourceImage", source_photo, [embedder], 1),
        examined("TargetImage", target_photo, [embedder, *details.values()], MAX_FACES_ANSWERED),
        return_exceptions=True,
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
