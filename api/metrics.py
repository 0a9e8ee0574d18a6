"""GET /metrics: the metrics for Prometheus."""

from fastapi import APIRouter, Response

from api.service import CurrentService

router = APIRouter(tags=["metrics"])

TEXT = "text/plain; version=0.0.4; charset=utf-8"


@router.get("/metrics", response_class=Response, responses={200: {"content": {"text/plain": {}}}})
async def get_metrics(service: CurrentService) -> Response:
    """Return the metrics of the whole cluster in Prometheus's text format."""
    return Response(await service.exposition(), media_type=TEXT)
