"""IndexFaces."""

import hashlib
from collections.abc import Sequence
from typing import Annotated, Any

import numpy as np
from pydantic import Field

from api.contracts.rekognition.embedders import collection_embedder
from api.contracts.rekognition.face_details import (
    Attribute,
    bounding_box,
    detail_stages,
    examined_detail,
    face_detail,
)
from api.contracts.rekognition.face_quality import poor_faces
from api.contracts.rekognition.identities import described_face, lone_subject, model_version
from api.contracts.rekognition.operation import AwsCall
from api.contracts.rekognition.requests import AwsModel, CollectionId, Image, QualityFilter
from gallery.records import Enrolled, FacePlace, NewFace, photo_source
from graphs.faces import ExaminedPhoto, faces
from imaging.faces import Photo
from imaging.pick import ALL_FACES, MAX_FACES_ANSWERED
from project.request_error import RequestError

ExternalImageId = Annotated[str, Field(pattern=r"^[a-zA-Z0-9_.\-:]{1,255}$")]


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
    details = detail_stages(stages, request.detection_attributes, "DetectionAttributes")
    data, label = request.image.photo(service), request.external_image_id or ""
    collection = await stages.gallery.collection(request.collection_id)
    embedder = collection_embedder(stages, collection)
    left_out: dict[int, list[str]] = {}

    def select(number: int, found: Photo | RequestError) -> Sequence[int]:
        if isinstance(found, RequestError):
            raise found
        largest_first = sorted(range(len(found.faces)), key=lambda face: -found.faces[face].area)
        left_out.update(poor_faces(found, service.settings, request.quality_filter))
        fit = [face for face in largest_first if face not in left_out]
        left_out.update((face, ["EXCEEDS_MAX_FACES"]) for face in fit[request.max_faces :])
        return fit[: request.max_faces]

    examination = await faces(stages.detector(None), [data], ALL_FACES, [embedder, *details.values()], select=select)
    [examined] = examination.photos
    assert isinstance(examined, ExaminedPhoto)
    new = _new_faces(examined, embedder.role, hashlib.sha256(data).hexdigest(), label)
    call.audit.add((face.subject for face in new), (face.id for face in new))
    enrolled: Sequence[Enrolled] = ()
    if new:
        enrolled = await stages.gallery.enrol(collection.name, embedder.card.embedding_contract, new)
    photo = examined.photo
    return {
        "FaceRecords": [
            {
                "Face": described_face(collection, stored.face_id, label, face.place),
                "FaceDetail": examined_detail(examined, row, details),
            }
            for row, (face, stored) in enumerate(zip(new, enrolled, strict=True))
        ],
        "FaceModelVersion": model_version(collection),
        "UnindexedFaces": [
            {"Reasons": why, "FaceDetail": face_detail(photo, index)} for index, why in left_out.items()
        ],
    }


def _new_faces(examined: ExaminedPhoto, role: str, photo_digest: str, label: str) -> list[NewFace]:
    made = []
    for index, embedding in zip(examined.asked, examined.readings[role], strict=True):
        source, box = photo_source(photo_digest, index), bounding_box(examined.photo, index)
        fractions = box["Left"], box["Top"], box["Width"], box["Height"]
        place = FacePlace(photo_digest[:32], fractions, examined.photo.faces[index].score)
        made.append(NewFace(lone_subject(source, label), source, label, np.asarray(embedding, np.float32), place))
    return made
