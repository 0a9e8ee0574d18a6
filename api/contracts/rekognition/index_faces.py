"""IndexFaces."""

import hashlib
from collections.abc import Sequence
from typing import Any

from pydantic import Field

from api.contracts.rekognition.admitted_faces import admitted_faces
from api.contracts.rekognition.embedders import collection_embedder
from api.contracts.rekognition.face_details import bounding_box, detail_stages, examined_detail, face_detail
from api.contracts.rekognition.identities import described_face, lone_subject, model_version
from api.contracts.rekognition.operation import AwsCall
from api.contracts.rekognition.requests import AwsCollectionRequest, Image, QualityFilter
from gallery.records import Enrolled, FacePlace, NewFace, digest, photo_source
from graphs.faces import ExaminedPhoto
from imaging.pick import MAX_FACES_ANSWERED


class IndexFacesRequest(AwsCollectionRequest):
    """A photo whose faces are added to a collection."""

    image: Image
    external_image_id: str | None = Field(None, pattern=r"^[a-zA-Z0-9_.\-:]{1,255}$")
    detection_attributes: tuple[str, ...] = ("DEFAULT",)
    max_faces: int = Field(MAX_FACES_ANSWERED, ge=1)
    quality_filter: QualityFilter = "AUTO"


async def index_faces(call: AwsCall, request: IndexFacesRequest) -> dict[str, Any]:
    """Add the faces of a photo to a collection in one commit, each as a face without a user, largest first.

    If the same photo is indexed again with the same ExternalImageId, its faces keep their ids and users.
    """
    service, stages = call.service, call.service.stages
    details = detail_stages(stages, request.detection_attributes, "DetectionAttributes")
    data, label = request.image.photo(service), request.external_image_id or ""
    collection = await stages.gallery.collection(request.collection_id)
    embedder = collection_embedder(stages, collection)
    examined, left_out = await admitted_faces(
        call,
        data,
        [embedder, *details.values()],
        request.quality_filter,
        max_faces=request.max_faces,
        excess_reason="EXCEEDS_MAX_FACES",
    )
    new = _new_faces(examined, embedder.role, hashlib.sha256(data).hexdigest(), label)
    call.audit.add((face.subject for face in new), (face.id for face in new))
    enrolled: Sequence[Enrolled] = ()
    if new:
        enrolled = await stages.gallery.enrol(collection.name, embedder.card.embedding_contract, new)
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
            {"Reasons": why, "FaceDetail": face_detail(examined.photo, index)} for index, why in left_out.items()
        ],
    }


def _new_faces(examined: ExaminedPhoto, role: str, photo_digest: str, label: str) -> list[NewFace]:
    made = []
    for index, embedding in zip(examined.asked, examined.readings[role], strict=True):
        source, box = photo_source(photo_digest, index), bounding_box(examined.photo, index)
        fractions = box["Left"], box["Top"], box["Width"], box["Height"]
        place = FacePlace(photo_digest[:32], fractions, examined.photo.faces[index].score)
        made.append(NewFace(lone_subject(digest(source, label)), source, label, embedding, place))
    return made
