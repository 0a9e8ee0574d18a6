"""Search a collection with a photo or an existing embedding."""

import time
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import Field

from api.audit_ids import CurrentAuditIds
from api.embeddings import vector_of
from api.errors import ERRORS
from api.images import from_upload
from api.parameters import StrictRoute
from api.service import CurrentService
from api.v1.chosen import ChosenStages, embedder_of
from api.v1.crops import CroppedFace
from api.v1.examples import Answer, JsonBody, example
from api.v1.options import CollectionName, JsonMinMargin, JsonThreshold, SearchOptions, pick_of
from api.v1.photos import ContractEmbedding, PhotoFile
from api.v1.schemas import FacesAnswer, ThresholdAnswer
from gallery.records import Hit, Metadata
from graphs.identify import MIN_HITS, NoMatch, SearchDecision, identify
from graphs.thresholds import threshold_of
from telemetry.request_record import count_match

router = APIRouter(
    prefix="/v1/collections/{collection}/search", tags=["search"], responses=ERRORS, route_class=StrictRoute
)


class Candidate(Answer):
    """A subject whose most similar face reaches the threshold."""

    model_config = example(
        subject="jane.doe",
        similarity=0.83,
        face_id="9e6380afc176e721c45c5467ddfd96ca",
        metadata={"department": "sales"},
    )

    subject: str
    similarity: float = Field(description="Cosine similarity.")
    face_id: str
    metadata: Metadata | None = Field(description="The subject's metadata; null if it has none.")

    @classmethod
    def of(cls, hit: Hit) -> "Candidate":
        return cls(subject=hit.subject, similarity=hit.cosine, face_id=hit.face_id, metadata=hit.metadata)


class SearchResult(Answer):
    """Candidates, best first, and the margin between the two most similar subjects.

    `no_match` is null if there are candidates, else one of:

    - ``not_live``: liveness is required and the face is a spoof.
    - ``below_threshold``: no subject reaches the threshold.
    - ``below_min_margin``: the margin is less than `min_margin`.
    """

    model_config = example(margin=0.31, no_match=None)

    candidates: list[Candidate]
    margin: float | None = Field(
        description="Similarity of the most similar subject minus that of the second most similar one; the "
        "threshold does not affect it. null if the collection has no second subject, or for a spoof if liveness is "
        "required."
    )
    no_match: NoMatch | None

    @classmethod
    def from_decision(cls, decision: SearchDecision) -> "SearchResult":
        """Describe a decision, and count it for the request's metrics."""
        count_match(bool(decision.candidates))
        return cls(
            candidates=[Candidate.of(hit) for hit in decision.candidates],
            margin=decision.margin,
            no_match=decision.no_match,
        )


class SearchedFace(CroppedFace, SearchResult):
    """A face with its candidates, best first."""


class SearchAnswer(FacesAnswer[SearchedFace]):
    """The faces that count (see Which face counts), best score first."""

    threshold: ThresholdAnswer


class EmbeddingSearchRequest(JsonBody):
    """An embedding to search with."""

    model_config = example(top_k=5, threshold=0.4)

    embedding: ContractEmbedding
    top_k: int = Field(5, ge=1, le=100, strict=True, description="Maximum number of candidates.")
    threshold: JsonThreshold = None
    min_margin: JsonMinMargin = None


class EmbeddingSearchAnswer(SearchResult):
    """Result for an embedding."""

    threshold: ThresholdAnswer


@router.post("")
async def post_search(
    service: CurrentService,
    audit: CurrentAuditIds,
    collection: CollectionName,
    photo: PhotoFile,
    options: Annotated[SearchOptions, Query()],
) -> SearchAnswer:
    """Find the subjects that resemble each face of a photo."""
    started = time.perf_counter()
    data = await from_upload(photo, service.limits.max_image_size)
    kind = (await service.stages.gallery.collection(collection)).kind
    chosen, embedder = ChosenStages.of(service, options), embedder_of(service, kind.embedder)
    pick = pick_of(service, options.faces, options.max_faces)
    examined, seconds, searched, hits = await identify(
        chosen.detector,
        embedder,
        chosen.networks,
        service.stages.gallery,
        collection,
        data,
        options.top_k,
        pick,
    )
    threshold = threshold_of(service.settings, embedder, request=options.threshold, collection=searched.threshold)
    answers = []
    for face, found in zip(await chosen.cropped(examined, options.crops), hits, strict=True):
        decision = SearchDecision.of(found, options.top_k, threshold.value, options.min_margin)
        if chosen.refuses(face):
            decision = SearchDecision(no_match="not_live")
        answers.append(SearchedFace(**dict(face), **dict(SearchResult.from_decision(decision))))
    audit.add(candidate.subject for face in answers for candidate in face.candidates)
    return SearchAnswer(faces=answers, threshold=threshold, **chosen.photo_fields(examined, seconds, started, embedder))


@router.post("/embedding")
async def post_search_embedding(
    service: CurrentService, audit: CurrentAuditIds, collection: CollectionName, body: EmbeddingSearchRequest
) -> EmbeddingSearchAnswer:
    """Find the subjects that resemble an embedding."""
    searched, [hits] = await service.stages.gallery.find(
        collection, body.embedding.contract, [vector_of(body.embedding.values)], max(body.top_k, MIN_HITS)
    )
    embedder = embedder_of(service, searched.kind.embedder)
    threshold = threshold_of(service.settings, embedder, request=body.threshold, collection=searched.threshold)
    result = SearchResult.from_decision(SearchDecision.of(hits, body.top_k, threshold.value, body.min_margin))
    audit.add(candidate.subject for candidate in result.candidates)
    return EmbeddingSearchAnswer(**dict(result), threshold=threshold)
