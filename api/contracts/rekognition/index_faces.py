"""IndexFaces."""

import hashlib
from collections.abc import Sequence
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field

from api.contracts.rekognition.embedders import collection_embedder
from api.contracts.rekognition.face_details import (
    Attribute,
    bounding_box,
    confidence,
    detail_stages,
    examined_detail,
    face_detail,
)
from api.contracts.rekognition.identities import image_id_of, lone_subject, model_version, uuid_of
from api.contracts.rekognition.operation import AwsCall
from api.contracts.rekognition.requests import AwsModel, CollectionId, Image, QualityFilter
from gallery.records import NewFace, photo_source
from graphs.faces import ExaminedPhoto, faces
from graphs.gate import Reason, reasons
from imaging.faces import Photo
from imaging.pick import ALL_FACES, MAX_FACES_ANSWERED
from project.request_error import RequestError

ExternalImageId = Annotated[str, Field(pattern=r"^[a-zA-Z0-9_.\-:]{1,255}$")]
UnindexedReason = Literal[
    "EXCEEDS_MAX_FACES", "EXTREME_POSE", "LOW_BRIGHTNESS", "LOW_SHARPNESS", "SMALL_BOUNDING_BOX", "LOW_FACE_QUALITY"
]
REASONS: dict[str, UnindexedReason] = {
    "FACE_TOO_SMALL": "SMALL_BOUNDING_BOX",
    "FACE_TOO_DARK": "LOW_BRIGHTNESS",
    "FACE_BLURRED": "LOW_SHARPNESS",
    "FACE_TURNED": "EXTREME_POSE",
}
"""AWS's reason for a code of the quality gate; LOW_FACE_QUALITY for any other."""


class IndexFacesRequest(AwsModel):
    """A photo whose faces are added to a collection."""

    collection_id: CollectionId
    image: Image
    external_image_id: ExternalImageId | None = None
    detection_attributes: tuple[Attribute, ...] = ("DEFAULT",)
    max_faces: int = Field(MAX_FACES_ANSWERED, ge=1)
    quality_filter: QualityFilter = "AUTO"


async def index_faces(call: AwsCall, request: IndexFacesRequest) -> dict[str, Any]:
    """Add the faces of a photo to a collection in one commit, each as a face without a user, largest first.

    Faces that the same photo with the same ExternalImageId has added before keep their ids and users.
    """
    service, stages = call.service, call.service.stages
    details = detail_stages(stages, request.detection_attributes)
    data, label = request.image.photo(service), request.external_image_id or ""
    collection = await stages.gallery.collection(request.collection_id)
    embedder = collection_embedder(stages, collection)
    left_out: dict[int, list[UnindexedReason]] = {}

    def select(number: int, found: Photo | RequestError) -> Sequence[int]:
        if isinstance(found, RequestError):
            raise found
        largest_first = sorted(range(len(found.faces)), key=lambda face: -found.faces[face].area)
        if request.quality_filter != "NONE":
            problems = {face: reasons(found, face, service.settings) for face in largest_first}
            left_out.update((face, _unindexed(against)) for face, against in problems.items() if against)
        fit = [face for face in largest_first if face not in left_out]
        left_out.update((face, ["EXCEEDS_MAX_FACES"]) for face in fit[request.max_faces :])
        return fit[: request.max_faces]

    examination = await faces(stages.detector(None), [data], ALL_FACES, [embedder, *details.values()], select=select)
    [examined] = examination.photos
    assert isinstance(examined, ExaminedPhoto)
    new = _new_faces(examined, embedder.role, hashlib.sha256(data).hexdigest(), label)
    call.audit.add((face.subject for face in new), (face.id for face in new))
    if new:
        await stages.gallery.enrol(collection.name, embedder.card.embedding_contract, new)
    photo, image_id = examined.photo, image_id_of(data)
    return {
        "FaceRecords": [
            {
                "Face": {
                    "FaceId": uuid_of(face.id),
                    "BoundingBox": bounding_box(photo, index),
                    "ImageId": image_id,
                    "Confidence": confidence(photo, index),
                    **({"ExternalImageId": label} if label else {}),
                },
                "FaceDetail": examined_detail(examined, row, details),
            }
            for row, (face, index) in enumerate(zip(new, examined.asked, strict=True))
        ],
        "FaceModelVersion": model_version(collection),
        "UnindexedFaces": [
            {"Reasons": why, "FaceDetail": face_detail(photo, index)} for index, why in left_out.items()
        ],
    }


def _new_faces(examined: ExaminedPhoto, role: str, photo_digest: str, label: str) -> list[NewFace]:
    made = []
    for index, embedding in zip(examined.asked, examined.readings[role], strict=True):
        source = photo_source(photo_digest, index)
        made.append(NewFace(lone_subject(source, label), source, label, np.asarray(embedding, np.float32)))
    return made


def _unindexed(against: Sequence[Reason]) -> list[UnindexedReason]:
    return list(dict.fromkeys(REASONS.get(reason.code, "LOW_FACE_QUALITY") for reason in against))
