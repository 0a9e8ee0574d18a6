"""SearchUsers and SearchUsersByImage."""

from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from api.contracts.rekognition.embedders import collection_embedder, similarity_scale
from api.contracts.rekognition.face_details import detail_stages, examined_detail, face_detail
from api.contracts.rekognition.identities import face_id_of, model_version, refuse_lone, user_of
from api.contracts.rekognition.largest_face import largest_face
from api.contracts.rekognition.operation import AwsCall
from api.contracts.rekognition.requests import AwsModel, CollectionId, FaceId, Image, Percent, QualityFilter, UserId
from gallery.records import Collection
from project.request_error import RequestError
from telemetry.request_record import count_match

MaxUsers = Annotated[int, Field(ge=1, le=500)]
FEW_USERS = 20
"""Number of users that the first search is for. It takes longer for more, and few requests match as many."""


class SearchUsersRequest(AwsModel):
    """A user or a face of a collection, to find users that resemble it."""

    collection_id: CollectionId
    user_id: UserId | None = None
    face_id: FaceId | None = None
    user_match_threshold: Percent = 80
    max_users: MaxUsers = 500


class SearchUsersByImageRequest(AwsModel):
    """A photo, to find users that resemble its largest face."""

    collection_id: CollectionId
    image: Image
    user_match_threshold: Percent = 80
    max_users: MaxUsers = 500
    quality_filter: QualityFilter = "NONE"


async def search_users(call: AwsCall, request: SearchUsersRequest) -> dict[str, Any]:
    """Find the users that resemble a face, or the mean of a user's faces. That user itself is left out."""
    gallery = call.service.stages.gallery
    if (request.user_id is None) == (request.face_id is None):
        raise RequestError("INVALID_REQUEST", "Send either UserId or FaceId")
    if request.face_id is not None:
        searched: dict[str, Any] = {"SearchedFace": {"FaceId": request.face_id}}
        collection, found = await gallery.embeddings(request.collection_id, [face_id_of(request.face_id)])
        if not found:
            raise RequestError("FACE_NOT_FOUND", f"The collection has no face with the id {request.face_id}")
        embeddings = list(found.values())
    else:
        searched = {"SearchedUser": {"UserId": request.user_id}}
        assert request.user_id is not None
        refuse_lone(request.user_id)
        collection, own = await gallery.subject_and_faces(request.collection_id, request.user_id, [])
        embeddings = [embedding for _, embedding in own.values()]
    matches = []
    if embeddings:
        matches = await _matching_users(call, collection, np.sum(embeddings, axis=0), request, request.user_id)
    return {**searched, "UserMatches": matches, "FaceModelVersion": model_version(collection)}


async def search_users_by_image(call: AwsCall, request: SearchUsersByImageRequest) -> dict[str, Any]:
    """Find the users that resemble the largest face of a photo."""
    stages = call.service.stages
    collection, details = await stages.gallery.collection(request.collection_id), detail_stages(stages, ())
    left_out: dict[int, list[str]] = {}
    examined, probe = await largest_face(
        call, collection, request.image, request.quality_filter, list(details.values()), left_out
    )
    answer: dict[str, Any] = {
        "UserMatches": [],
        "FaceModelVersion": model_version(collection),
        "UnsearchedFaces": [
            {"FaceDetails": face_detail(examined.photo, face), "Reasons": why} for face, why in left_out.items()
        ],
    }
    if probe is not None:
        answer["UserMatches"] = await _matching_users(call, collection, probe, request)
        answer["SearchedFace"] = {"FaceDetail": examined_detail(examined, 0, details)}
    return answer


async def _matching_users(
    call: AwsCall,
    collection: Collection,
    probe: NDArray[np.float32],
    request: SearchUsersRequest | SearchUsersByImageRequest,
    searched: str | None = None,
) -> list[dict[str, Any]]:
    """Return the users that reach the request's threshold, best first, except the user `searched`."""
    stages = call.service.stages
    scale = similarity_scale(collection_embedder(stages, collection))
    threshold, count = request.user_match_threshold, min(request.max_users, FEW_USERS) + 1
    while True:
        _, [hits] = await stages.gallery.find(collection.name, collection.kind.contract, [probe], count)
        similar = [(scale.percent(hit.cosine), hit.subject) for hit in hits]
        matches = [
            (percent, subject)
            for percent, subject in similar
            if percent >= threshold and user_of(subject) and subject != searched
        ]
        # There may be more, also because faces without a user may come before users.
        if len(matches) >= request.max_users or len(hits) < count or similar[-1][0] < threshold:
            break
        count *= 4
    call.audit.add(subject for _, subject in matches[: request.max_users])
    count_match(bool(matches))
    return [
        {"Similarity": percent, "User": {"UserId": subject, "UserStatus": "ACTIVE"}}
        for percent, subject in matches[: request.max_users]
    ]
