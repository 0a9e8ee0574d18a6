"""Find the subjects of a collection that resemble the faces of a photo."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from gallery.operations import Gallery
from gallery.records import Collection, Hit
from graphs.faces import ExaminedPhoto, faces_of
from graphs.stages import DetectorStage, FaceStage
from imaging.pick import Pick

MIN_HITS = 2
"""Minimum number of subjects to search for, because the margin needs the second."""

NoMatch = Literal["not_live", "below_threshold", "below_min_margin"]
"""Why a search has no candidates; see `SearchDecision.of`."""


@dataclass(frozen=True, slots=True)
class SearchDecision:
    """Which subjects a probe matches.

    Attributes:
        candidates: the hits that count as matches, best first.
        margin: similarity of the most similar subject minus that of the second; None without a second.
        no_match: why there are no candidates; None if there are some.
    """

    candidates: Sequence[Hit] = ()
    margin: float | None = None
    no_match: NoMatch | None = None

    @classmethod
    def of(cls, hits: Sequence[Hit], count: int, threshold: float, min_margin: float | None) -> "SearchDecision":
        """Decide on the hits of a live probe.

        Args:
            hits: the most similar subjects, best first: at least `MIN_HITS` if the collection has them.
            count: maximum number of candidates.
            threshold: minimum similarity of a candidate.
            min_margin: minimum margin of a match. It does not apply to a probe without a margin.
        """
        margin = hits[0].cosine - hits[1].cosine if len(hits) > 1 else None
        candidates = [hit for hit in hits[:count] if hit.cosine >= threshold]
        if not candidates:
            return cls((), margin, "below_threshold")
        if min_margin is not None and margin is not None and margin < min_margin:
            return cls((), margin, "below_min_margin")
        return cls(candidates, margin)


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
    """Find the most similar subjects of a collection for each face of a photo that counts.

    Args:
        count: number of subjects to find per face. At least `MIN_HITS` are searched for.
        others: other stages to run on the faces.

    Returns:
        The photo, the time spent waiting for the models in seconds, the collection, and each face's hits, best first.

    Raises:
        RequestError: raised by `faces_of` or by the gallery's search.
        ValueError: a model's output is not finite.
    """
    examined, seconds = await faces_of(detector, photo, pick, [embedder, *others], embedder)
    probes = list(examined.readings[embedder.role])
    found, hits = await gallery.find(collection, embedder.card.embedding_contract, probes, max(count, MIN_HITS))
    return examined, seconds, found, hits
