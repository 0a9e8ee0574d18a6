"""DetectFaces."""

from typing import Any

from api.contracts.rekognition.face_details import detail_stages, examined_detail
from api.contracts.rekognition.operation import AwsCall
from api.contracts.rekognition.requests import AwsModel, Image
from graphs.faces import faces_of
from imaging.pick import ALL_FACES


class DetectFacesRequest(AwsModel):
    """A photo whose faces are described."""

    image: Image
    attributes: tuple[str, ...] = ("DEFAULT",)


async def detect_faces(call: AwsCall, request: DetectFacesRequest) -> dict[str, Any]:
    """Describe the faces of a photo, best score first, at most 100."""
    stages = call.service.stages
    details = detail_stages(stages, request.attributes)
    photo = request.image.photo(call.service)
    examined, _ = await faces_of(stages.detector(None), photo, ALL_FACES, list(details.values()))
    return {"FaceDetails": [examined_detail(examined, row, details) for row in range(len(examined.asked))]}
