"""The largest face of a photo, which a collection is searched for."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from api.contracts.rekognition.embedders import collection_embedder
from api.contracts.rekognition.face_quality import poor_faces
from api.contracts.rekognition.operation import AwsCall
from api.contracts.rekognition.requests import Image, QualityFilter
from gallery.records import Collection
from graphs.faces import ExaminedPhoto, faces
from graphs.stages import FaceStage
from imaging.faces import Photo
from imaging.pick import ALL_FACES, Pick
from project.request_error import RequestError

LARGEST = Pick("largest")


async def largest_face(
    call: AwsCall,
    collection: Collection,
    image: Image,
    quality_filter: QualityFilter,
    details: Sequence[FaceStage] = (),
    left_out: dict[int, list[str]] | None = None,
) -> tuple[ExaminedPhoto, NDArray[np.float32] | None]:
    """Find the largest face of a photo that the quality filter admits, and embed it.

    Args:
        details: other stages to run on the face.
        left_out: receives AWS's reasons for each other face, by index. Without it, only the largest face of the photo
            is considered, which is faster.

    Returns:
        The photo, and the embedding, float32 (size,); None if no face is admitted.

    Raises:
        RequestError: as `collection_embedder`, or the photo cannot be decoded, or a stage is not available.
        ValueError: a model's output is not finite.
    """
    stages = call.service.stages
    embedder = collection_embedder(stages, collection)

    def select(number: int, found: Photo | RequestError) -> Sequence[int]:
        if isinstance(found, RequestError):
            raise found
        poor = poor_faces(found, call.service.settings, quality_filter)
        good = [face for face in range(len(found.faces)) if face not in poor]
        largest = max(good, key=lambda face: found.faces[face].area, default=None)
        if left_out is not None:
            left_out.update(poor | {face: ["FACE_NOT_LARGEST"] for face in good if face != largest})
        return [] if largest is None else [largest]

    data, pick = image.photo(call.service), LARGEST if left_out is None else ALL_FACES
    examination = await faces(stages.detector(None), [data], pick, [embedder, *details], select=select)
    [examined] = examination.photos
    assert isinstance(examined, ExaminedPhoto)
    return examined, examined.readings[embedder.role][0] if examined.asked else None
