"""Create, describe and delete collections of subjects, and clean up after deletions."""

from dataclasses import asdict
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Query, Response
from pydantic import Field

from api.errors import ERRORS
from api.parameters import StrictRoute
from api.service import CurrentKey, CurrentService
from api.v1.chosen import embedder_of
from api.v1.examples import Answer, JsonBody, example
from api.v1.options import CollectionName, JsonThreshold, Truth
from gallery.records import Collection
from graphs.stages import embedding_kind
from project.request_error import RequestError

router = APIRouter(prefix="/v1", tags=["collections"], responses=ERRORS, route_class=StrictRoute)


class CollectionRequest(JsonBody):
    """A collection to create or change. Omitted fields keep their values in an existing collection."""

    model_config = example(embedder="arcface", threshold=0.4)

    embedder: str | None = Field(
        None,
        description="Role of the embedder; cannot be changed later. By default `defaults.embedder` of /v1/models.",
    )
    threshold: JsonThreshold = Field(
        None,
        description="Minimum cosine similarity; null applies the configured or the card's threshold. See Thresholds.",
    )


_DEFAULTS = CollectionRequest()
"""What a request without a body means."""


class CollectionAnswer(Answer):
    """A collection. `threshold` is null if the configuration's or the card's threshold applies."""

    model_config = example(
        name="staff",
        embedder="arcface",
        model="mobilefacenet",
        embedding_contract="499f2c0ac50eba0c",
        embedding_dimensions=192,
        threshold=0.4,
        created="2026-01-15T10:30:00Z",
    )

    name: str
    embedder: str
    model: str
    embedding_contract: str
    embedding_dimensions: int
    threshold: float | None
    created: datetime

    @classmethod
    def of(cls, collection: Collection) -> "CollectionAnswer":
        kind = collection.kind
        return cls(
            name=collection.name,
            embedder=kind.embedder,
            model=kind.model,
            embedding_contract=kind.contract,
            embedding_dimensions=kind.size,
            threshold=collection.threshold,
            created=collection.created,
        )


class CollectionsAnswer(Answer):
    """Collections, sorted by name."""

    collections: list[CollectionAnswer]


class StatisticsAnswer(CollectionAnswer):
    """A collection with its statistics."""

    model_config = example(faces=3, subjects=2, bytes=18432, changed="2026-01-15T12:00:00Z")

    faces: int
    subjects: int
    bytes: int = Field(description="Size of its files, not counting old versions that the next clean-up removes.")
    changed: datetime = Field(description="Time of the last enrolment or deletion, or of creation if there was none.")


class DroppedAnswer(Answer):
    """The name of a deleted collection."""

    model_config = example(name="staff")

    name: str


class CleanedAnswer(Answer):
    """Freed bytes by collection."""

    model_config = example(freed_bytes={"staff": 140269})

    freed_bytes: dict[str, int]


@router.get("/collections")
async def get_collections(service: CurrentService, key: CurrentKey) -> CollectionsAnswer:
    """List collections. A key bound to specific collections sees only those."""
    found = [each for each in await service.stages.gallery.collections() if key is None or key.reaches(each.name)]
    return CollectionsAnswer(collections=[CollectionAnswer.of(each) for each in found])


@router.put(
    "/collections/{collection}",
    responses={201: {"model": CollectionAnswer, "description": "The collection was created"}},
)
async def put_collection(
    service: CurrentService,
    response: Response,
    collection: CollectionName,
    body: CollectionRequest = _DEFAULTS,
) -> CollectionAnswer:
    """Create a collection, or set the threshold of an existing one with the same embedder.

    An existing collection keeps its threshold if the request has none; null resets it.
    """
    kind = embedding_kind(embedder_of(service, body.embedder))
    gallery = service.stages.gallery
    try:
        made = await gallery.create(collection, kind, body.threshold)
        response.status_code = 201
    except RequestError as refused:
        if refused.code != "COLLECTION_EXISTS":
            raise
        made = await gallery.collection(collection)
        if "embedder" in body.model_fields_set and made.kind != kind:
            raise RequestError(
                refused.code, f"{refused.message}, with embeddings of the model {made.kind.model}"
            ) from refused
        if "threshold" in body.model_fields_set:
            made = await gallery.set_threshold(collection, body.threshold)
    return CollectionAnswer.of(made)


@router.get("/collections/{collection}")
async def get_collection(service: CurrentService, collection: CollectionName) -> StatisticsAnswer:
    """Describe a collection and count its faces and subjects."""
    found, counted = await service.stages.gallery.statistics(collection)
    return StatisticsAnswer(
        **dict(CollectionAnswer.of(found)),
        **asdict(counted),
    )


@router.delete("/collections/{collection}")
async def delete_collection(
    service: CurrentService,
    collection: CollectionName,
    with_faces: Annotated[Truth, Query(description="Must be true to delete a collection that contains faces.")] = False,
) -> DroppedAnswer:
    """Delete a collection and all its faces, permanently.

    A collection with faces requires with_faces=true. Otherwise, clients that resolve ``..`` could delete it by mistake,
    because they shorten ``…/subjects/..`` to the path of the collection.
    """
    try:
        await service.stages.gallery.drop(collection, only_empty=not with_faces)
    except RequestError as refused:
        if refused.code != "COLLECTION_NOT_EMPTY":
            raise
        raise RequestError(refused.code, f"{refused.message}; add with_faces=true to delete them too") from refused
    return DroppedAnswer(name=collection)


@router.post("/gallery/clean")
async def post_clean(service: CurrentService) -> CleanedAnswer:
    """Erase deleted faces from the files now, instead of at the next regular clean-up."""
    return CleanedAnswer(freed_bytes=await service.stages.gallery.clean())
