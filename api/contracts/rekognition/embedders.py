"""The embedder of a collection, and the scale of its similarities."""

from gallery.errors import contract_mismatch
from gallery.records import Collection
from graphs.stages import FaceStage, Stages
from models.similarity import SimilarityScale
from models.tasks.embedder import EMBEDDER
from project.request_error import RequestError


def collection_embedder(stages: Stages, collection: Collection) -> FaceStage:
    """Return the embedder of a collection.

    Raises:
        RequestError: ``EMBEDDING_CONTRACT_MISMATCH`` if its role now has another model, or ``UNKNOWN_EMBEDDER``.
    """
    embedder = stages.network(EMBEDDER.name, collection.kind.embedder)
    if embedder.card.embedding_contract != collection.kind.contract:
        raise contract_mismatch(collection)
    return embedder


def similarity_scale(embedder: FaceStage) -> SimilarityScale:
    """Return the scale that converts an embedder's similarities to percentages.

    Raises:
        RequestError: ``SIMILARITY_NOT_MEASURED`` if its card has none.
    """
    if (scale := embedder.card.similarity) is None:
        raise RequestError(
            "SIMILARITY_NOT_MEASURED",
            f"The similarities of the model {embedder.card.name} have not been measured; "
            "docs/rekognition.md#similarity explains how to measure them",
        )
    return scale
