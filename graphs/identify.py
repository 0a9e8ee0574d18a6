"""Find the subjects of a collection that resemble the faces of a photo."""

from collections.abc import Sequence

from gallery.operations import Gallery
from gallery.records import Collection, Hit
from graphs.faces import ExaminedPhoto, faces_of
from graphs.stages import DetectorStage, FaceStage
from imaging.pick import Pick


async def identify(
    detector: DetectorStage,
    embedder: FaceStage,
    others: Sequence[FaceStage],
    gallery: Gallery,
    collection: str,
    photo: bytes,
    count: int,
    pick: Pick,
) -> tuple[ExaminedPhoto, float, Collection, list[list[Hit]]]:
    """Find the `count` most similar subjects of a collection for each face of a photo that counts.

    Args:
        others: other stages to run on the faces.

    Returns:
        The photo, the time spent waiting for the models in seconds, the collection, and each face's hits, best first.

    Raises:
        RequestError: by `faces_of`, or by the gallery's search.
        ValueError: a model's output is not finite.
    """
    examined, seconds = await faces_of(detector, photo, pick, [embedder, *others], embedder)
    probes = list(examined.readings[embedder.role])
    found, hits = await gallery.find(collection, embedder.card.embedding_contract, probes, count)
    return examined, seconds, found, hits
