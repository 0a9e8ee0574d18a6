"""The flow of identification: who in the gallery resembles the faces of a photo."""

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
    """For each face of a photo that counts, the `count` subjects of a collection most similar to it, best first.

    Args:
        others: further networks to ask about the faces.

    Returns:
        The photo, the seconds of the networks, the collection, and the hits of each face.

    Raises:
        Refused: as `faces_of`, or as the gallery raises it.
        ValueError: a network's answer is not finite.
    """
    examined, seconds = await faces_of(detector, photo, pick, [embedder, *others], embedder)
    probes = list(examined.readings[embedder.role])
    found, hits = await gallery.find(collection, embedder.card.embedding_contract, probes, count)
    return examined, seconds, found, hits
