"""How the ingress asks its stages, without a cluster."""

import asyncio
from types import SimpleNamespace
from typing import Any, cast

import httpx
import numpy as np
import pytest

from access.settings import AccessArgs
from api.settings import AddressArgs, LimitArgs
from deployments import ingress
from deployments.detector import Detector
from deployments.ingress import Bound
from deployments.network import Network
from deployments.readiness import first_looks
from deployments.stage import StageCaller
from graphs.policy import Policy
from models.catalogue import card
from telemetry.status import Kind
from telemetry.timing import Timed, recording
from tests.gallery.sample_gallery import in_loop


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
    asked: list[tuple[Any, ...]] = []

    class Handle:
        """Of a deployment whose every method keeps its own name and what it is given."""

        def __getattr__(self, name: str) -> Any:
            assert hasattr(deployment, name)

            async def remote(*args: Any) -> Timed[Any]:
                asked.append((name, *args))
                return Timed(np.zeros(2, np.float32), 0.0)

            return SimpleNamespace(remote=remote)

    handle: Any = Handle()
    more = [Policy] if kind == "liveness" else []
    stage = getattr(ingress, made)(Bound(card(model), handle), StageCaller(kind, "role", handle), *more)
    with recording(0.0) as recorder:
        asyncio.run(getattr(stage, method)("crops", "more"))
        told = [entry.rpartition(";dur=")[0] for entry in recorder.header(1.0).split(", ")]
    [(name, *given)] = asked
    assert name in ("detect", "run")
    assert given == ["crops", "more"]
    assert told == ["total", "ingress", f'{kind};desc="role"', f"{kind}-busy"]


def test_liveness_verdicts_are_noted_by_the_threshold_of_the_moment() -> None:
    async def remote(crops: Any) -> Timed[Any]:
        return Timed(np.array(crops, np.float32), 0.0)

    handle: Any = SimpleNamespace(run=SimpleNamespace(remote=remote))
    stage = ingress._liveness(
        Bound(card("minifasnet"), handle),
        StageCaller("liveness", "crmnet", handle),
        lambda: Policy(liveness_threshold=0.5),
    )

    async def score() -> None:
        assert (await stage.score([0.5, 0.25, 0.75])).tolist() == [0.5, 0.25, 0.75]

    with recording(0.0) as recorder:
        asyncio.run(score())
    assert recorder.outcomes == {("liveness", "live"): 2, ("liveness", "spoof"): 1}


@in_loop
async def test_a_fresh_ingress_is_ready_once_every_stage_has_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    started = asyncio.Event()

    def handle(name: str) -> Any:
        async def ready() -> Any:
            if name in ("detector-mtcnn", "gallery-reader"):
                await started.wait()
            return ["staff"] if name == "gallery-reader" else None

        return SimpleNamespace(deployment_name=name, ready=SimpleNamespace(remote=ready))

    def bound(name: str, model: str) -> Bound:
        return Bound(card(model), handle(name))

    monkeypatch.setattr(ingress, "first_looks", lambda watched: first_looks(watched, 0.1))
    monkeypatch.setattr(ingress, "_controller", lambda: SimpleNamespace(replicas=None))
    plain: Any = cast(Any, ingress.Ingress).func_or_class.__mro__[1]
    made = plain.__new__(plain)
    await made.__init__(
        {"mtcnn": bound("detector-mtcnn", "mtcnn")},
        {"crmnet": bound("liveness-crmnet", "minifasnet")},
        {"arcface": bound("embedder-arcface", "mobilefacenet")},
        "mtcnn",
        LimitArgs(),
        AddressArgs(),
        (handle("gallery-writer"), handle("gallery-reader")),
        AccessArgs(require_keys=False, audit_log=""),
        1,
    )
    transport = httpx.ASGITransport(made.__serve_build_asgi_app__())
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client, asyncio.timeout(10):
        answer = await client.get("/readyz")
        assert answer.status_code == 503
        assert {name for name, ready in answer.json()["stages"].items() if not ready} == {"detector-mtcnn", "gallery"}
        assert (await client.get("/livez")).status_code == 200
        assert (await client.get("/health")).json()["status"] == "degraded"
        started.set()
        while (await client.get("/readyz")).status_code != 200:
            await asyncio.sleep(0.01)
        found = (await client.get("/health")).json()
        assert (found["model_loaded"], found["database_connected"], found["unreadable_collections"]) == (True, True, 1)
