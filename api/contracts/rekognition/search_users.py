"""SearchUsers and SearchUsersByImage."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Annotated, Any

from pydantic import Field

from api.contracts.rekognition.admitted_faces import admitted_faces
from api.contracts.rekognition.embedders import collection_embedder, similarity_scale
from api.contracts.rekognition.face_details import detail_stages, examined_detail, face_detail
from api.contracts.rekognition.identities import face_id_of, model_version, refuse_lone, user_of
from api.contracts.rekognition.operation import AwsCall
from api.contracts.rekognition.requests import AwsCollectionRequest, FaceId, Image, Percent, QualityFilter, UserId
from gallery.records import Collection, Hit
from project.request_error import RequestError
from telemetry.request_record import count_match

MaxUsers = Annotated[int, Field(ge=1, le=500)]
FIRST_USERS = 20
"""Number of users that a search first asks for. Few requests match more, and asking for more takes longer."""


class SearchUsersRequest(AwsCollectionRequest):
    """A user or a face of a collection, to find users that resemble it."""

    user_id: UserId | None = None
    face_id: FaceId | None = None
    user_match_threshold: Percent = 80
    max_users: MaxUsers = 500


class SearchUsersByImageRequest(AwsCollectionRequest):
    """A photo, to find users that resemble its largest face."""

    image: Image
    user_match_threshold: Percent = 80
    max_users: MaxUsers = 500
    quality_filter: QualityFilter = "NONE"


async def search_users(call: AwsCall, request: SearchUsersRequest) -> dict[str, Any]:
    """Find the users that resemble a face, or the mean of a user's faces. That user itself is left out."""
    gallery = call.service.stages.gallery
    if (request.user_id is None) == (request.face_id is None):
        raise RequestError("INVALID_REQUEST", "Send either UserId or FaceId")
    if request.user_id is None:
        searched, face_id = {"SearchedFace": {"FaceId": request.face_id}}, face_id_of(request.face_id or "")
    else:
        refuse_lone(request.user_id)
        searched, face_id = {"SearchedUser": {"UserId": request.user_id}}, None

    async def find(count: int) -> tuple[Collection, Sequence[Hit]]:
        return await gallery.find_like(request.collection_id, count, face_id=face_id, subject=request.user_id)

    collection, matches = await _matching_users(call, find, request, request.user_id)
    return {**searched, "UserMatches": matches, "FaceModelVersion": model_version(collection)}


async def search_users_by_image(call: AwsCall, request: SearchUsersByImageRequest) -> dict[str, Any]:
    """Find the users that resemble the largest face of a photo."""
    stages = call.service.stages
    collection, details = await stages.gallery.collection(request.collection_id), detail_stages(stages, ())
    embedder, photo = collection_embedder(stages, collection), request.image.photo(call.service)
    networks = [embedder, *details.values()]
    examined, left_out = await admitted_faces(
        call, photo, networks, request.quality_filter, max_faces=1, excess_reason="FACE_NOT_LARGEST"
    )
    answer: dict[str, Any] = {
        "UserMatches": [],
        "FaceModelVersion": model_version(collection),
        "UnsearchedFaces": [
            {"FaceDetails": face_detail(examined.photo, face), "Reasons": why} for face, why in left_out.items()
        ],
    }
    if examined.asked:
        probes = list(examined.readings[embedder.role])

        async def find(count: int) -> tuple[Collection, Sequence[Hit]]:
            _, [hits] = await stages.gallery.find(collection.name, collection.kind.contract, probes, count)
            return collection, hits

        _, answer["UserMatches"] = await _matching_users(call, find, request)
        answer["SearchedFace"] = {"FaceDetail": examined_detail(examined, 0, details)}
    return answer


async def _matching_users(
    call: AwsCall,
    find: Callable[[int], Awaitable[tuple[Collection, Sequence[Hit]]]],
    request: SearchUsersRequest | SearchUsersByImageRequest,
    searched: str | None = None,
) -> tuple[Collection, list[dict[str, Any]]]:
    """Return the collection, and the users that reach the request's threshold, best first, except `searched`.

    Args:
        find: returns the collection and the most similar subjects, best first, given their number.
    """
    threshold, count = request.user_match_threshold, min(request.max_users, FIRST_USERS) + 1
    while True:
        collection, hits = await find(count)
        scale = similarity_scale(collection_embedder(call.service.stages, collection))
        similar = [(scale.percent(hit.cosine), hit.subject) for hit in hits]
        matches = [
            (percent, subject)
            for percent, subject in similar
            if percent >= threshold and user_of(subject) and subject != searched
        ]
        # Otherwise, more users may match: faces without a user may have come before them.
        if len(matches) >= request.max_users or len(hits) < count or similar[-1][0] < threshold:
            break
        count *= 4
    call.audit.add(subject for _, subject in matches[: request.max_users])
    count_match(bool(matches))
    return collection, [
        {"Similarity": percent, "User": {"UserId": subject, "UserStatus": "ACTIVE"}}
        for percent, subject in matches[: request.max_users]
    ]
