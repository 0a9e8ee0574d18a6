"""SearchFaces and SearchFacesByImage."""

from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from api.contracts.rekognition.admitted_faces import admitted_faces
from api.contracts.rekognition.embedders import collection_embedder, similarity_scale
from api.contracts.rekognition.face_details import bounding_box, confidence
from api.contracts.rekognition.identities import face_id_of, model_version, stored_face
from api.contracts.rekognition.operation import AwsCall
from api.contracts.rekognition.requests import AwsCollectionRequest, FaceId, Image, Percent, QualityFilter
from gallery.errors import face_not_found
from gallery.records import Collection
from imaging.pick import Pick
from project.request_error import RequestError
from telemetry.request_record import count_match

MaxFaces = Annotated[int, Field(ge=1, le=4096)]


class SearchFacesRequest(AwsCollectionRequest):
    """A face of a collection, to find others that resemble it."""

    face_id: FaceId
    max_faces: MaxFaces = 80
    face_match_threshold: Percent = 80


class SearchFacesByImageRequest(AwsCollectionRequest):
    """A photo, to find faces that resemble its largest face."""

    image: Image
    max_faces: MaxFaces = 80
    face_match_threshold: Percent = 80
    quality_filter: QualityFilter = "NONE"


async def search_faces(call: AwsCall, request: SearchFacesRequest) -> dict[str, Any]:
    """Find the faces of a collection that resemble one of its faces. That face itself is left out."""
    gallery, face_id = call.service.stages.gallery, face_id_of(request.face_id)
    call.audit.add(faces=[face_id])
    collection, probes = await gallery.embeddings(request.collection_id, [face_id])
    if face_id not in probes:
        raise face_not_found()
    matches = await _matching_faces(call, collection, probes[face_id], request, face_id)
    return {
        "SearchedFaceId": request.face_id,
        "FaceMatches": matches,
        "FaceModelVersion": model_version(collection),
    }


async def search_faces_by_image(call: AwsCall, request: SearchFacesByImageRequest) -> dict[str, Any]:
    """Find the faces of a collection that resemble the largest face of a photo."""
    stages = call.service.stages
    collection = await stages.gallery.collection(request.collection_id)
    embedder, photo = collection_embedder(stages, collection), request.image.photo(call.service)
    # The detector is faster if it returns only the largest face.
    examined, _ = await admitted_faces(call, photo, [embedder], request.quality_filter, pick=Pick("largest"))
    if not examined.asked:
        raise RequestError("INVALID_REQUEST", "Image: the photo has no face that can be searched for")
    matches = await _matching_faces(call, collection, examined.readings[embedder.role][0], request)
    return {
        "SearchedFaceBoundingBox": bounding_box(examined.photo, 0),
        "SearchedFaceConfidence": confidence(examined.photo, 0),
        "FaceMatches": matches,
        "FaceModelVersion": model_version(collection),
    }


async def _matching_faces(
    call: AwsCall,
    collection: Collection,
    probe: NDArray[np.float32],
    request: SearchFacesRequest | SearchFacesByImageRequest,
    searched: str | None = None,
) -> list[dict[str, Any]]:
    """Return the faces that reach the request's threshold, best first, except the face `searched`."""
    stages, contract = call.service.stages, collection.kind.contract
    scale = similarity_scale(collection_embedder(stages, collection))
    count, least = request.max_faces + (searched is not None), scale.cosine(request.face_match_threshold)
    _, hits = await stages.gallery.find_faces(collection.name, contract, probe, count, least)
    matches = [
        {"Similarity": percent, "Face": stored_face(collection, hit.face)}
        for hit in hits
        if hit.face.face_id != searched and (percent := scale.percent(hit.cosine)) >= request.face_match_threshold
    ][: request.max_faces]
    call.audit.add(hit.face.subject for hit in hits)
    count_match(bool(matches))
    return matches
