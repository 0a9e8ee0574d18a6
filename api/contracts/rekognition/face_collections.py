"""CreateCollection, ListCollections, DescribeCollection and DeleteCollection."""

from typing import Annotated, Any

from pydantic import Field

from api.contracts.rekognition.identities import LONE_SUBJECT, model_version
from api.contracts.rekognition.operation import AwsCall
from api.contracts.rekognition.paging import last_item, page_token
from api.contracts.rekognition.requests import AwsCollectionRequest, AwsModel
from graphs.stages import embedding_kind
from models.tasks.embedder import EMBEDDER
from project.request_error import RequestError

PageSize = Annotated[int, Field(ge=0, le=4096)]
MAX_PAGE = 4096
"""Maximum and default number of items on a page."""


class CreateCollectionRequest(AwsCollectionRequest):
    """A collection to create, for embeddings of the default embedder. Tags are rejected."""

    tags: dict[str, str] = Field(default_factory=dict)


class ListCollectionsRequest(AwsModel):
    """A page of collections."""

    max_results: PageSize = MAX_PAGE
    next_token: str | None = None


async def create_collection(call: AwsCall, request: CreateCollectionRequest) -> dict[str, Any]:
    """Create a collection."""
    if request.tags:
        raise RequestError("INVALID_REQUEST", "Tags: this service does not support tags")
    stages = call.service.stages
    kind = embedding_kind(stages.network(EMBEDDER.name, None))
    made = await stages.gallery.create(request.collection_id, kind, None)
    return {"StatusCode": 200, "CollectionArn": _arn(made.name), "FaceModelVersion": model_version(made)}


async def list_collections(call: AwsCall, request: ListCollectionsRequest) -> dict[str, Any]:
    """List a page of the collections that the key may access, by name."""
    after, most = last_item(request.next_token), request.max_results or MAX_PAGE
    every = await call.service.stages.gallery.collections()
    found = [each for each in every if call.key.reaches(each.name) and each.name > after]
    page = {
        "CollectionIds": [each.name for each in found[:most]],
        "FaceModelVersions": [model_version(each) for each in found[:most]],
    }
    return page | ({"NextToken": page_token(found[most - 1].name)} if len(found) > most else {})


async def describe_collection(call: AwsCall, request: AwsCollectionRequest) -> dict[str, Any]:
    """Describe a collection, and count its faces and users."""
    # Each face without a user is stored as a subject, which is not a user.
    found, faces, users = await call.service.stages.gallery.totals(request.collection_id, LONE_SUBJECT)
    return {
        "FaceCount": faces,
        "UserCount": users,
        "FaceModelVersion": model_version(found),
        "CollectionARN": f"arn:{_arn(found.name)}",
        "CreationTimestamp": found.created.timestamp(),
    }


async def delete_collection(call: AwsCall, request: AwsCollectionRequest) -> dict[str, Any]:
    """Delete a collection with all its faces and users."""
    await call.service.stages.gallery.drop(request.collection_id)
    return {"StatusCode": 200}


def _arn(name: str) -> str:
    return f"aws:rekognition:local:000000000000:collection/{name}"
