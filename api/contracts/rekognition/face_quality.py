"""Why faces are left out by a quality filter, in the words of AWS."""

from api.contracts.rekognition.requests import QualityFilter
from graphs.flow_settings import FlowSettings
from graphs.gate import reasons
from imaging.faces import Photo

REASONS = {
    "FACE_TOO_SMALL": "SMALL_BOUNDING_BOX",
    "FACE_TOO_DARK": "LOW_BRIGHTNESS",
    "FACE_BLURRED": "LOW_SHARPNESS",
    "FACE_TURNED": "EXTREME_POSE",
}
"""AWS's reason for a code of the quality gate; LOW_FACE_QUALITY for any other."""


def poor_faces(photo: Photo, settings: FlowSettings, quality_filter: QualityFilter) -> dict[int, list[str]]:
    """Return AWS's reasons for each face of `photo` that the quality gate of enrolment rejects, by index."""
    found: dict[int, list[str]] = {}
    if quality_filter == "NONE":
        return found
    for face in range(len(photo.faces)):
        if against := reasons(photo, face, settings):
            found[face] = list(dict.fromkeys(REASONS.get(reason.code, "LOW_FACE_QUALITY") for reason in against))
    return found
