"""The embedder of a collection."""

from gallery.errors import contract_mismatch
from gallery.records import Collection
from graphs.stages import FaceStage, Stages
from models.tasks.embedder import EMBEDDER


def collection_embedder(stages: Stages, collection: Collection) -> FaceStage:
    """Return the embedder of a collection, whose card also states what its similarities mean.

    Raises:
        RequestError: ``EMBEDDING_CONTRACT_MISMATCH`` if another model has its role by now, or ``UNKNOWN_EMBEDDER``.
    """
    embedder = stages.network(EMBEDDER.name, collection.kind.embedder)
    if embedder.card.embedding_contract != collection.kind.contract:
        raise contract_mismatch(collection)
    return embedder
