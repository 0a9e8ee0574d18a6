"""Finds the faces of a photo that pass a quality filter, and AWS's reasons for leaving out the others."""

from collections.abc import Sequence

from api.contracts.rekognition.operation import AwsCall
from api.contracts.rekognition.requests import QualityFilter
from graphs.faces import ExaminedPhoto, faces
from graphs.gate import reasons
from graphs.stages import FaceStage
from imaging.faces import Photo
from imaging.pick import ALL_FACES, MAX_FACES_ANSWERED, Pick
from project.request_error import RequestError

REASONS = {
    "FACE_TOO_SMALL": "SMALL_BOUNDING_BOX",
    "FACE_TOO_DARK": "LOW_BRIGHTNESS",
    "FACE_BLURRED": "LOW_SHARPNESS",
    "FACE_TURNED": "EXTREME_POSE",
}
"""AWS's reason for each code of the quality gate. For other codes, it is LOW_FACE_QUALITY."""


async def admitted_faces(
    call: AwsCall,
    photo: bytes,
    networks: Sequence[FaceStage],
    quality_filter: QualityFilter,
    *,
    pick: Pick = ALL_FACES,
    max_faces: int = MAX_FACES_ANSWERED,
    excess_reason: str = "",
    name: str = "",
) -> tuple[ExaminedPhoto, dict[int, list[str]]]:
    """Find the faces of a photo, and run `networks` on those that the quality filter admits, largest first.

    Args:
        pick: which faces of the photo the detector returns.
        max_faces: maximum number of faces to run `networks` on.
        excess_reason: AWS's reason for leaving out admitted faces over `max_faces`.
        name: name of the photo in errors, if the request has two.

    Returns:
        The photo, and AWS's reasons for each face that is left out, by index.

    Raises:
        RequestError: the photo cannot be decoded, or a stage is not available.
        ValueError: a model's output is not finite.
    """
    left_out: dict[int, list[str]] = {}

    def select(number: int, found: Photo | RequestError) -> Sequence[int]:
        if isinstance(found, RequestError):
            raise RequestError(found.code, f"{name}: {found.message}") if name else found
        for face in range(len(found.faces)) if quality_filter != "NONE" else ():
            if against := reasons(found, face, call.service.settings):
                left_out[face] = list(dict.fromkeys(REASONS.get(each.code, "LOW_FACE_QUALITY") for each in against))
        largest_first = sorted(range(len(found.faces)), key=lambda face: -found.faces[face].area)
        admitted = [face for face in largest_first if face not in left_out]
        left_out.update((face, [excess_reason]) for face in admitted[max_faces:])
        return admitted[:max_faces]

    examination = await faces(call.service.stages.detector(None), [photo], pick, networks, select=select)
    [examined] = examination.photos
    assert isinstance(examined, ExaminedPhoto)
    return examined, left_out
