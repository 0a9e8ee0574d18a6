"""AssociateFaces and DisassociateFaces."""

from collections.abc import Mapping, Sequence, Set
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from api.contracts.rekognition.embedders import collection_embedder, similarity_scale
from api.contracts.rekognition.identities import face_id_of, lone_subject, refuse_lone, refused_face, user_of, uuid_of
from api.contracts.rekognition.operation import AwsCall
from api.contracts.rekognition.repeated_requests import UserChangeRequest, performed_once, reassigned
from api.contracts.rekognition.requests import FaceId, Percent
from gallery.records import Collection, Reassignment
from models.similarity import SimilarityScale

FACE_NOT_FOUND, OTHER_USER, LOW_CONFIDENCE = "FACE_NOT_FOUND", "ASSOCIATED_TO_A_DIFFERENT_USER", "LOW_MATCH_CONFIDENCE"


class UserFacesRequest(UserChangeRequest):
    """A request to change which faces a user has."""

    face_ids: list[FaceId] = Field(min_length=1, max_length=100)

    @property
    def faces(self) -> list[str]:
        """Ids of the faces, each once."""
        return list(dict.fromkeys(map(face_id_of, self.face_ids)))


class AssociateFacesRequest(UserFacesRequest):
    """Faces to give to a user."""

    user_match_threshold: Percent = 75


class DisassociateFacesRequest(UserFacesRequest):
    """Faces to take from a user."""


@performed_once
async def associate_faces(call: AwsCall, request: AssociateFacesRequest) -> dict[str, Any]:
    """Give faces without a user to a user, in one commit. Faces that the user already has are ignored, as in AWS."""
    user = request.user_id
    collection, faces, refused = await _requested_faces(call, request)
    own = {face_id for face_id, (subject, _) in faces.items() if subject == user}
    wanted = [face_id for face_id in request.faces if face_id in faces and face_id not in own]
    embeddings = {face_id: embedding for face_id, (_, embedding) in faces.items()}
    scale = similarity_scale(collection_embedder(call.service.stages, collection))
    unlike = _unlike(embeddings, own, wanted, request.user_match_threshold, scale)
    refused += [refused_face(face_id, LOW_CONFIDENCE) for face_id in unlike]
    moves = {face_id: Reassignment(faces[face_id][0], user) for face_id in wanted if face_id not in unlike}
    return await reassigned(
        call,
        request,
        moves,
        lambda moved: {
            "AssociatedFaces": [{"FaceId": uuid_of(face_id)} for face_id in moves if face_id in moved],
            "UnsuccessfulFaceAssociations": refused
            + [refused_face(face_id, OTHER_USER) for face_id in moves if face_id not in moved],
            "UserStatus": "ACTIVE" if own or moved else "CREATED",
        },
    )


@performed_once
async def disassociate_faces(call: AwsCall, request: DisassociateFacesRequest) -> dict[str, Any]:
    """Take faces from a user in one commit. The faces stay in the collection. Faces without a user are ignored."""
    user = request.user_id
    _, faces, refused = await _requested_faces(call, request)
    own = {face_id for face_id, (subject, _) in faces.items() if subject == user}
    moves = {each: Reassignment(user, lone_subject(each)) for each in request.faces if each in own}
    return await reassigned(
        call,
        request,
        moves,
        lambda moved: {
            "DisassociatedFaces": [{"FaceId": uuid_of(face_id)} for face_id in moves if face_id in moved],
            "UnsuccessfulFaceDisassociations": refused,
            "UserStatus": "ACTIVE" if len(own) > len(moved) else "CREATED",
        },
        keep=[user],
    )


async def _requested_faces(
    call: AwsCall, request: UserFacesRequest
) -> tuple[Collection, dict[str, tuple[str, NDArray[np.float32]]], list[dict[str, Any]]]:
    """Look up the user's faces and the requested faces.

    Returns:
        The collection; subject and embedding, by face id, of the user's faces and of the requested faces without a
        user; and the response's entries for the other requested faces.
    """
    user, wanted = request.user_id, request.faces
    refuse_lone(user)
    collection, faces = await call.service.stages.gallery.subject_and_faces(request.collection_id, user, wanted)
    refused = [refused_face(face_id, FACE_NOT_FOUND) for face_id in wanted if face_id not in faces]
    owners = {face_id: owner for face_id in wanted if face_id in faces and (owner := user_of(faces[face_id][0]))}
    refused += [refused_face(face_id, OTHER_USER, owner) for face_id, owner in owners.items() if owner != user]
    return collection, {each: face for each, face in faces.items() if owners.get(each, user) == user}, refused


def _unlike(
    embeddings: Mapping[str, NDArray[np.float32]],
    own: Set[str],
    wanted: Sequence[str],
    threshold: float,
    scale: SimilarityScale,
) -> list[str]:
    """Return the faces of `wanted` that resemble neither the user's `own` faces nor earlier accepted ones."""
    if not wanted:
        return []
    rows, vectors = {face_id: row for row, face_id in enumerate(embeddings)}, np.stack(list(embeddings.values()))
    accepted, unlike = [rows[face_id] for face_id in own], list[str]()
    for face_id in wanted:
        row = rows[face_id]
        if accepted and scale.percent(float((vectors @ vectors[row])[accepted].max())) < threshold:
            unlike.append(face_id)
        else:
            accepted.append(row)
    return unlike
