"""AssociateFaces and DisassociateFaces."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from api.contracts.rekognition.embedders import collection_embedder
from api.contracts.rekognition.identities import LONE_PREFIX, face_id_of, user_of, uuid_of
from api.contracts.rekognition.operation import AwsCall
from api.contracts.rekognition.repeated_requests import UserChangeRequest, performed_once
from api.contracts.rekognition.requests import FaceId, Percent
from api.contracts.rekognition.users import faces_of_user
from gallery.records import Collection, Reassignment
from models.similarity import SimilarityScale

UserFaceIds = Annotated[list[FaceId], Field(min_length=1, max_length=100)]

FACE_NOT_FOUND, OTHER_USER, LOW_CONFIDENCE = "FACE_NOT_FOUND", "ASSOCIATED_TO_A_DIFFERENT_USER", "LOW_MATCH_CONFIDENCE"


class AssociateFacesRequest(UserChangeRequest):
    """Faces to give to a user."""

    face_ids: UserFaceIds
    user_match_threshold: Percent = 75


class DisassociateFacesRequest(UserChangeRequest):
    """Faces to take from a user."""

    face_ids: UserFaceIds


@performed_once
async def associate_faces(call: AwsCall, request: AssociateFacesRequest) -> dict[str, Any]:
    """Give faces without a user to a user, in one commit. Faces that it already has are ignored, as at AWS."""
    gallery, user = call.service.stages.gallery, request.user_id
    collection, subjects, refused = await _requested_faces(call, request)
    own = [face.face_id for face in await faces_of_user(gallery, collection, user)]
    wanted = [face_id for face_id, subject in subjects.items() if subject != user]
    embeddings = await gallery.embeddings(collection, [*own, *wanted])
    scale = collection_embedder(call.service.stages, collection).card.similarity_scale
    unlike = _unlike(embeddings, own, wanted, request.user_match_threshold, scale)
    refused += [_unsuccessful(face_id, LOW_CONFIDENCE) for face_id in unlike]
    moves = {face_id: Reassignment(subjects[face_id], user) for face_id in wanted if face_id not in unlike}
    moved = await gallery.reassign_faces(collection.name, moves) if moves else []
    refused += [_unsuccessful(face_id, OTHER_USER) for face_id in moves if face_id not in moved]
    return {
        "AssociatedFaces": [{"FaceId": uuid_of(face_id)} for face_id in moves if face_id in moved],
        "UnsuccessfulFaceAssociations": refused,
        "UserStatus": "ACTIVE" if own or moved else "CREATED",
    }


@performed_once
async def disassociate_faces(call: AwsCall, request: DisassociateFacesRequest) -> dict[str, Any]:
    """Take faces from a user in one commit. They stay in the collection. Faces without a user are ignored."""
    gallery, user = call.service.stages.gallery, request.user_id
    collection, subjects, refused = await _requested_faces(call, request)
    own = await faces_of_user(gallery, collection, user)
    moves = {
        face_id: Reassignment(user, f"{LONE_PREFIX}{face_id}")
        for face_id, subject in subjects.items()
        if subject == user
    }
    moved = await gallery.reassign_faces(collection.name, moves, [user]) if moves else []
    return {
        "DisassociatedFaces": [{"FaceId": uuid_of(face_id)} for face_id in moves if face_id in moved],
        "UnsuccessfulFaceDisassociations": refused,
        "UserStatus": "ACTIVE" if len(own) > len(moved) else "CREATED",
    }


async def _requested_faces(
    call: AwsCall, request: AssociateFacesRequest | DisassociateFacesRequest
) -> tuple[Collection, dict[str, str], list[dict[str, Any]]]:
    """Return the collection, the subject of each face that the user or no user has, and entries for the other faces."""
    gallery, wanted = call.service.stages.gallery, list(dict.fromkeys(map(face_id_of, request.face_ids)))
    call.audit.add([request.user_id], wanted)
    collection = await gallery.collection(request.collection_id)
    found = {face.face_id: face.subject for face in await gallery.faces_with_ids(collection, wanted)}
    refused = [_unsuccessful(face_id, FACE_NOT_FOUND) for face_id in wanted if face_id not in found]
    subjects = dict[str, str]()
    for face_id in (each for each in wanted if each in found):
        if (owner := user_of(found[face_id])) in (None, request.user_id):
            subjects[face_id] = found[face_id]
        else:
            refused.append(_unsuccessful(face_id, OTHER_USER, owner))
    return collection, subjects, refused


def _unlike(
    embeddings: Mapping[str, NDArray[np.float32]],
    own: Sequence[str],
    wanted: Sequence[str],
    threshold: float,
    scale: SimilarityScale,
) -> list[str]:
    """Return the faces of `wanted` that resemble neither the user's `own` faces nor earlier accepted ones."""
    if not embeddings:
        return list(wanted)
    rows, vectors = {face_id: row for row, face_id in enumerate(embeddings)}, np.stack(list(embeddings.values()))
    accepted, unlike = [rows[face_id] for face_id in own if face_id in rows], list[str]()
    for face_id in wanted:
        row = rows.get(face_id)
        if row is None or (accepted and scale.percent(float((vectors @ vectors[row])[accepted].max())) < threshold):
            unlike.append(face_id)
        else:
            accepted.append(row)
    return unlike


def _unsuccessful(face_id: str, reason: str, user: str | None = None) -> dict[str, Any]:
    return {"FaceId": uuid_of(face_id), "Reasons": [reason], **({"UserId": user} if user else {})}
