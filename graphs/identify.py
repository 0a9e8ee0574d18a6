"""The flow of identification: who in the gallery resembles the faces of a photo."""

from gallery.operations import Gallery
from gallery.records import Collection, Hit
from graphs.extract import Look, look
from graphs.stages import DetectorStage, EmbedderStage, LivenessStage
from imaging.pick import Pick


async def identify(
    detector: DetectorStage,
    liveness: LivenessStage | None,
    embedder: EmbedderStage,
    gallery: Gallery,
    collection: str,
    photo: bytes,
    count: int,
    pick: Pick,
) -> tuple[Look, Collection, list[list[Hit]]]:
    """For each face of a photo that counts, the `count` subjects of a collection that resemble it most, best first.

    Raises:
        Refused: as `look`, or as the gallery raises it.
        ValueError: a network gave what is no number.
    """
    seen = await look(detector, liveness, embedder, photo, pick)
    probes = [] if seen.readings.embeddings is None else list(seen.readings.embeddings)
    found, hits = await gallery.find(collection, embedder.contract, probes, count)
    return seen, found, hits
