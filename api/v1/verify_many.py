"""POST /v1/verify/many: compare one photo with several others."""

import time
from typing import Annotated

from fastapi import APIRouter, File, Query, UploadFile
from pydantic import Field

from api.errors import ERRORS
from api.images import from_upload
from api.parameters import StrictRoute
from api.service import CurrentService
from api.v1.chosen import ChosenStages, embedder_of
from api.v1.crops import CroppedFace
from api.v1.examples import Answer, example
from api.v1.options import VerifyManyOptions, pick_of
from api.v1.photos import PhotoFile, comparison_of
from api.v1.schemas import FacesFound, Models, ReasonAnswer, ThresholdAnswer, Timings
from graphs.thresholds import ComparisonMetric, threshold_of
from graphs.verify_many import PhotoComparison, verify_many
from project.request_error import RequestError
from telemetry.request_record import count_match

router = APIRouter(prefix="/v1/verify", tags=["photos"], responses=ERRORS, route_class=StrictRoute)

MAX_COMPARED = 100


class ComparedPhoto(Answer):
    """Result for one photo. If it cannot be compared, `error` says why, `match` is false and `faces_found` is 0."""

    model_config = example(photo=0, match=True, value=0.71, cosine_similarity=0.71, faces_found=1, error=None)

    photo: int = Field(description="Index of the photo in the request, from 0.")
    match: bool
    value: float | None = Field(description="Similarity or distance in `metric`.")
    cosine_similarity: float | None
    faces_found: FacesFound
    face: CroppedFace | None
    error: ReasonAnswer | None


class VerifyManyAnswer(Answer):
    """Results in request order, one per photo, and the compared face of the reference."""

    model_config = example(metric="cosine")

    metric: ComparisonMetric
    threshold: ThresholdAnswer
    reference: CroppedFace
    photos: list[ComparedPhoto]
    models: Models
    timings_ms: Timings


@router.post("/many")
async def post_verify_many(
    service: CurrentService,
    reference: PhotoFile,
    photo: Annotated[list[UploadFile], File(description=f"1 to {MAX_COMPARED} photos.")],
    options: Annotated[VerifyManyOptions, Query()],
) -> VerifyManyAnswer:
    """Compare the face of a reference with a face of each photo.

    A photo that cannot be compared is reported and does not affect the others.
    """
    if len(photo) > MAX_COMPARED:
        raise RequestError(
            "INVALID_REQUEST", f"There are {len(photo)} photos; a request can have at most {MAX_COMPARED}"
        )
    chosen, embedder = ChosenStages.of(service, options), embedder_of(service, options.embedder)
    started = time.perf_counter()
    most = service.limits.max_image_size
    # One byte more than allowed is enough for the decode gate to reject a photo that is too large.
    known, data = await from_upload(reference, most, "reference"), [await file.read(most + 1) for file in photo]
    pick = pick_of(service, options.faces)
    found = await verify_many(chosen.detector, embedder, chosen.networks, known, data, pick)
    threshold = threshold_of(service.settings, embedder, request=options.threshold, metric=options.metric)
    compared = [each for each in found.photos if isinstance(each, PhotoComparison)]
    shown = [found.reference, *(each.face for each in compared)]
    reference_face, *faces = await chosen.compared(shown, options.crops)
    remaining = iter(faces)

    def answer(number: int, each: PhotoComparison | RequestError) -> ComparedPhoto:
        if isinstance(each, RequestError):
            return ComparedPhoto(
                photo=number, match=False, value=None, cosine_similarity=None, faces_found=0, face=None, error=each
            )
        face = next(remaining)
        comparison = comparison_of(each.distances, options.metric, threshold)
        match = comparison.match and not chosen.refuses(reference_face, face)
        count_match(match)
        return ComparedPhoto(
            photo=number,
            match=match,
            value=comparison.value,
            cosine_similarity=comparison.cosine_similarity,
            faces_found=each.face.photo.found,
            face=face,
            error=None,
        )

    return VerifyManyAnswer(
        metric=options.metric,
        threshold=threshold,
        reference=reference_face,
        photos=[answer(number, each) for number, each in enumerate(found.photos)],
        models=chosen.models(embedder),
        timings_ms=Timings.of([face.photo for face in shown], found.seconds, started),
    )
