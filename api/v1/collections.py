"""Collections of subjects: making, describing and deleting them, and cleaning up after deletions."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from api.errors import ERRORS
from api.parameters import StrictRoute
from api.service import Service
from api.v1.chosen import embedder_of
from api.v1.examples import example
from api.v1.options import CollectionName, JsonThreshold, Truth
from gallery.records import Collection
from graphs.stages import embedding_kind
from imaging.refused import Refused

router = APIRouter(prefix="/v1", tags=["collections"], responses=ERRORS, route_class=StrictRoute)


class CollectionRequest(BaseModel):
    """A collection to create or change. Fields that are left out keep their values in an existing one."""

    model_config = ConfigDict(extra="forbid") | example(embedder="arcface", threshold=0.4)

    embedder: str | None = Field(
        None,
        description="Role of the embedder; cannot be changed later. By default `defaults.embedder` of /v1/models.",
    )
    threshold: JsonThreshold = Field(
        None, description="Least cosine similarity; null applies the configuration's or the card's. See Thresholds."
    )


class CollectionAnswer(BaseModel):
    """A collection. `threshold` is null if the configuration's or the card's applies."""

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
        """The answer's form of `collection`."""
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


class CollectionsAnswer(BaseModel):
    """Every collection, by name."""

    model_config = example(collections=[CollectionAnswer])

    collections: list[CollectionAnswer]


class StatisticsAnswer(CollectionAnswer):
    """A collection with its numbers."""

    model_config = example(CollectionAnswer, faces=3, subjects=2, bytes=18432, changed="2026-01-15T12:00:00Z")

    faces: int
    subjects: int
    bytes: int = Field(description="Of its files, without versions that wait for the clean-up.")
    changed: datetime = Field(description="When it was last written to; mergers of files count.")


class DroppedAnswer(BaseModel):
    """A collection that was deleted."""

    model_config = example(name="staff")

    name: str


class CleanedAnswer(BaseModel):
    """Bytes that were freed, by collection."""

    model_config = example(freed_bytes={"staff": 140269})

    freed_bytes: dict[str, int]


@router.get("/collections")
async def get_collections(request: Request) -> CollectionsAnswer:
    """List collections. A key bound to specific collections sees only those."""
    gallery, key = request.state.service.stages.gallery, request.state.key
    found = [each for each in await gallery.collections() if key is None or key.reaches(each.name)]
    return CollectionsAnswer(collections=[CollectionAnswer.of(each) for each in found])


@router.put("/collections/{collection}", responses={201: {"model": CollectionAnswer, "description": "It is new"}})
async def put_collection(
    request: Request, response: Response, collection: CollectionName, body: CollectionRequest
) -> CollectionAnswer:
    """Create a collection, or set the threshold of an existing one with the same embedder.

    If the request has no threshold, an existing collection keeps its own; null resets it.
    """
    service: Service = request.state.service
    kind = embedding_kind(embedder_of(service, body.embedder))
    gallery = service.stages.gallery
    try:
        made = await gallery.create(collection, kind, body.threshold)
        response.status_code = 201
    except Refused as refused:
        if refused.code != "COLLECTION_EXISTS":
            raise
        made = await gallery.collection(collection)
        if "embedder" in body.model_fields_set and made.kind != kind:
            raise
        if "threshold" in body.model_fields_set:
            made = await gallery.set_threshold(collection, body.threshold)
    return CollectionAnswer.of(made)


@router.get("/collections/{collection}")
async def get_collection(request: Request, collection: CollectionName) -> StatisticsAnswer:
    """Describe a collection and count its faces and subjects."""
    gallery = request.state.service.stages.gallery
    found = await gallery.collection(collection)
    counted = await gallery.statistics(found)
    return StatisticsAnswer(
        **dict(CollectionAnswer.of(found)),
        faces=counted.faces,
        subjects=counted.subjects,
        bytes=counted.bytes,
        changed=counted.changed,
    )


@router.delete("/collections/{collection}")
async def delete_collection(
    request: Request,
    collection: CollectionName,
    with_faces: Annotated[Truth, Query(description="Must be true for a collection that has faces.")] = False,
) -> DroppedAnswer:
    """Delete a collection and all its faces, permanently.

    A collection that has faces needs with_faces=true, since clients resolve ``…/subjects/..`` to its address.
    """
    gallery = request.state.service.stages.gallery
    found = await gallery.collection(collection)
    # Not asked where it does not matter: a damaged collection cannot be counted, but deleted.
    if not with_faces and (count := await gallery.count(found)):
        raise Refused("COLLECTION_NOT_EMPTY", f"The collection has {count} faces: add with_faces=true to delete them")
    await gallery.drop(collection)
    return DroppedAnswer(name=collection)


@router.post("/gallery/clean")
async def post_clean(request: Request) -> CleanedAnswer:
    """Erase deleted faces from the files now, without waiting for the timer."""
    return CleanedAnswer(freed_bytes=await request.state.service.stages.gallery.clean())
