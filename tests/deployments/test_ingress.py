"""How the ingress asks its stages, without a cluster."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from deployments import ingress
from deployments.detector import Detector
from deployments.ingress import Bound
from deployments.network import Network
from deployments.stage import StageCaller
from graphs.status import Kind
from graphs.timing import Timed, recording
from models.catalogue import card


@pytest.mark.parametrize(
    ("made", "model", "method", "deployment", "kind"),
    [
        ("_detector", "mtcnn", "detect", Detector, "detector"),
        ("_liveness", "minifasnet", "score", Network, "liveness"),
        ("_embedder", "mobilefacenet", "embed", Network, "embedder"),
    ],
)
def test_a_stage_asks_a_method_of_its_deployment_and_is_recorded_by_its_kind(
    made: str, model: str, method: str, deployment: Any, kind: Kind
) -> None:
    class Handle:
        """Of a deployment whose every method answers its own name and what it is given."""

        def __getattr__(self, name: str) -> Any:
            assert hasattr(deployment, name)

            async def remote(*args: Any) -> Timed[Any]:
                return Timed((name, *args), 0.0)

            return SimpleNamespace(remote=remote)

    handle: Any = Handle()
    stage = getattr(ingress, made)(Bound(card(model), handle), StageCaller(kind, "role", handle))
    with recording(0.0) as recorder:
        name, *given = asyncio.run(getattr(stage, method)("crops", "more"))
        told = [entry.rpartition(";dur=")[0] for entry in recorder.header(1.0).split(", ")]
    assert name in ("detect", "run")
    assert given == ["crops", "more"]
    assert told == ["total", "ingress", f'{kind};desc="role"', f"{kind}-busy"]
