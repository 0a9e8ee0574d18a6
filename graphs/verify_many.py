"""Compare a face of one photo with a face of each of several others."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from graphs.compare import Distances, distances
from graphs.faces import ExaminedPhoto, every_face, faces
from graphs.stages import DetectorStage, FaceStage
from graphs.verify import ComparedFace, naming, usable_photo
from imaging.faces import Photo
from imaging.pick import Pick
from project.request_error import RequestError


@dataclass(frozen=True, slots=True, eq=False)
class PhotoComparison:
    """The face of one photo that was compared with the reference, and the result."""

    face: ComparedFace
    distances: Distances


@dataclass(frozen=True, slots=True, eq=False)
class ReferenceComparison:
    """Result of comparing a reference with several photos.

    Attributes:
        photos: one entry per photo, in order; a `RequestError` if the photo cannot be compared.
        seconds: time spent waiting for the models, which run concurrently.
    """

    reference: ComparedFace
    photos: Sequence[PhotoComparison | RequestError]
    seconds: float


async def verify_many(
    detector: DetectorStage,
    embedder: FaceStage,
    others: Sequence[FaceStage],
    reference: bytes,
    photos: Sequence[bytes],
    pick: Pick,
) -> ReferenceComparison:
    """Compare a face of the encoded photo `reference` with a face of each of `photos`.

    With the rule ``all``, the reference's prominent face is compared with the most similar face of each photo.

    Args:
        others: other stages to run on the faces.

    Raises:
        RequestError: the reference cannot be compared, or a stage is not available.
        ValueError: a model's output is not finite.
    """
    networks, refused = [embedder, *others], dict[int, RequestError]()
    one = replace(pick, rule="prominent") if pick.rule == "all" else pick
    check = naming(["reference"], one)

    def select_reference(number: int, found: Photo | RequestError) -> Sequence[int]:
        return every_face(number, check(number, found))

    def select(number: int, found: Photo | RequestError) -> Sequence[int]:
        try:
            return every_face(number, usable_photo(found, pick))
        except RequestError as error:
            refused[number] = error
            return ()

    # The reference comes first, so that no other photo is examined if the reference cannot be compared.
    known = await faces(detector, [reference], one, networks, select=select_reference, keep_crops_of=embedder)
    examined = await faces(detector, photos, pick, networks, select=select, keep_crops_of=embedder)
    [first] = (photo for photo in known.photos if isinstance(photo, ExaminedPhoto))
    [embedding] = first.readings[embedder.role]

    def compared(number: int, photo: ExaminedPhoto | RequestError) -> PhotoComparison | RequestError:
        if isinstance(photo, RequestError) or number in refused:
            return refused[number]
        found = photo.readings[embedder.role]
        face = int((found @ embedding).argmax())
        return PhotoComparison(ComparedFace.of(photo, face), distances(embedding, found[face]))

    results = [compared(number, photo) for number, photo in enumerate(examined.photos)]
    return ReferenceComparison(ComparedFace.of(first, 0), results, known.seconds + examined.seconds)
