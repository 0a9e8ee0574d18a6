"""AssociateFaces and DisassociateFaces."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from api.contracts.rekognition.embedders import collection_embedder
from api.contracts.rekognition.identities import LONE_PREFIX, face_id_of, user_of, uuid_of
from api.contracts.rekognition.operation import AwsCall
from api.contracts.rekognition.requests import AwsModel, CollectionId, FaceId, Percent
from api.contracts.rekognition.users import RequestToken, UserId, faces_of_user
from gallery.records import Collection, Reassignment
from models.similarity import SimilarityScale

UserFaceIds = Annotated[list[FaceId], Field(min_length=1, max_length=100)]

FACE_NOT_FOUND, OTHER_USER, LOW_CONFIDENCE = "FACE_NOT_FOUND", "ASSOCIATED_TO_A_DIFFERENT_USER", "LOW_MATCH_CONFIDENCE"


class AssociateFacesRequest(AwsModel):
    """Faces to give to a user."""

    collection_id: CollectionId
    user_id: UserId
    face_ids: UserFaceIds
    user_match_threshold: Percent = 75
    client_request_token: RequestToken | None = None


class DisassociateFacesRequest(AwsModel):
    """Faces to take from a user."""

    collection_id: CollectionId
    user_id: UserId
    face_ids: UserFaceIds
    client_request_token: RequestToken | None = None


async def associate_faces(call: AwsCall, request: AssociateFacesRequest) -> dict[str, Any]:
    """Give faces without a user to a user, in one commit. Faces that it already has are ignored, as at AWS."""
    gallery, user = call.service.stages.gallery, request.user_id
    collection, faces, refused = await _named(call, request)
    own = [face.face_id for face in await faces_of_user(gallery, collection, user)]
    wanted = [face_id for face_id, owner in faces.items() if owner is None]
    refused += [(face_id, OTHER_USER, owner) for face_id, owner in faces.items() if owner not in (None, user)]
    embeddings = await gallery.embeddings(collection, [*own, *wanted])
    scale = collection_embedder(call.service.stages, collection).card.similarity_scale
    unlike = _unlike(embeddings, own, wanted, request.user_match_threshold, scale)
    refused += [(face_id, LOW_CONFIDENCE, None) for face_id in unlike]
    subjects = {face.face_id: face.subject for face in await gallery.faces_with_ids(collection, wanted)}
    moves = {each: Reassignment(subjects[each], user) for each in wanted if each in subjects and each not in unlike}
    moved = await gallery.reassign_faces(collection.name, moves) if moves else []
    refused += [(face_id, OTHER_USER, None) for face_id in moves if face_id not in moved]
    return {
        "AssociatedFaces": [{"FaceId": uuid_of(face_id)} for face_id in moves if face_id in moved],
        "UnsuccessfulFaceAssociations": [_unsuccessful(*each) for each in refused],
        "UserStatus": "ACTIVE" if own or moved else "CREATED",
    }


async def disassociate_faces(call: AwsCall, request: DisassociateFacesRequest) -> dict[str, Any]:
    """Take faces from a user in one commit. They stay in the collection. Faces without a user are ignored."""
    gallery, user = call.service.stages.gallery, request.user_id
    collection, faces, refused = await _named(call, request)
    own = await faces_of_user(gallery, collection, user)
    refused += [(face_id, OTHER_USER, owner) for face_id, owner in faces.items() if owner not in (None, user)]
    moves = {
        face_id: Reassignment(user, f"{LONE_PREFIX}{face_id}") for face_id, owner in faces.items() if owner == user
    }
    moved = await gallery.reassign_faces(collection.name, moves, [user]) if moves else []
    return {
        "DisassociatedFaces": [{"FaceId": uuid_of(face_id)} for face_id in moves if face_id in moved],
        "UnsuccessfulFaceDisassociations": [_unsuccessful(*each) for each in refused],
        "UserStatus": "ACTIVE" if len(own) > len(moved) else "CREATED",
    }


async def _named(
    call: AwsCall, request: AssociateFacesRequest | DisassociateFacesRequest
) -> tuple[Collection, dict[str, str | None], list[tuple[str, str, str | None]]]:
    """Return the collection, the user of each face, None without one, and the faces that do not exist."""
    gallery, wanted = call.service.stages.gallery, list(dict.fromkeys(map(face_id_of, request.face_ids)))
    call.audit.add([request.user_id], wanted)
    collection = await gallery.collection(request.collection_id)
    found = {face.face_id: user_of(face.subject) for face in await gallery.faces_with_ids(collection, wanted)}
    missing: list[tuple[str, str, str | None]] = [(each, FACE_NOT_FOUND, None) for each in wanted if each not in found]
    return collection, {each: found[each] for each in wanted if each in found}, missing


def _unlike(
    embeddings: Mapping[str, NDArray[np.float32]],
    own: Sequence[str],
    wanted: Sequence[str],
    threshold: float,
    scale: SimilarityScale,
) -> list[str]:
    """Return the faces of `wanted` that resemble no face of the user, which are its `own` and those accepted before."""
    accepted, unlike = [embeddings[face_id] for face_id in own if face_id in embeddings], list[str]()
    for face_id in wanted:
        probe = embeddings.get(face_id)
        if probe is None or (accepted and scale.percent(float(max(np.stack(accepted) @ probe))) < threshold):
            unlike.append(face_id)
        else:
            accepted.append(probe)
    return unlike


def _unsuccessful(face_id: str, reason: str, user: str | None) -> dict[str, Any]:
    return {"FaceId": uuid_of(face_id), "Reasons": [reason], **({"UserId": user} if user else {})}
