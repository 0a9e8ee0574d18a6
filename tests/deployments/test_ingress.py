"""The ingress and its stages, without a cluster."""

import asyncio
from functools import partial
from types import SimpleNamespace
from typing import Any, cast

import httpx
import numpy as np
import pytest

from access.settings import AccessArgs
from api.settings import AddressArgs, LimitArgs
from deployments import ingress
from deployments.ingress import BoundStage
from deployments.readiness import first_looks
from deployments.workers import Workers
from models.catalogue import card
from telemetry.request_record import TimedAnswer, recording
from tests.deployments.handles import handle
from tests.gallery.sample_gallery import in_loop


@pytest.mark.parametrize("inside", [False, True])
def test_a_stage_is_asked_in_its_deployment_or_inside_the_ingress(inside: bool) -> None:
    class Replica:
        def __init__(self, workers: Workers | None = None) -> None: ...

        async def answer(self, question: Any) -> TimedAnswer[Any]:
            return TimedAnswer(question, 0.125)

        async def ready(self) -> None: ...

    stage: Any = partial(Replica) if inside else handle(Replica(), "embedder-role")
    caller = BoundStage(card("mobilefacenet"), stage).caller("role", Workers(1))
    question = (np.zeros((2, 1)),)
    with recording(0.0) as recorder:
        assert asyncio.run(caller.ask(question)) is question
        names = [entry.rpartition(";dur=")[0] for entry in recorder.header(1.0).split(", ")]
    assert names == ["total", "ingress", 'embedder;desc="role"', "embedder-busy"]
    assert [call.size for call in recorder.calls] == [2]
    assert caller.host == ("ingress" if inside else "embedder-role")


@in_loop
async def test_a_fresh_ingress_is_ready_once_every_stage_has_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    started = asyncio.Event()

    def named(name: str, answer: object = None, waits: bool = False) -> Any:
        async def ready() -> object:
            if waits:
                await started.wait()
            return answer

        return handle(SimpleNamespace(ready=ready), name)

    stages = {
        "mtcnn": BoundStage(card("mtcnn"), named("detector-mtcnn", waits=True)),
        "crmnet": BoundStage(card("minifasnet"), named("liveness-crmnet")),
    }
    gallery = named("gallery-writer"), named("gallery-reader", ["staff"], waits=True)
    access = AccessArgs(require_keys=False, audit_log="")
    monkeypatch.setattr(ingress, "first_looks", lambda watched: first_looks(watched, 0.1))
    monkeypatch.setattr(ingress, "_controller", lambda: SimpleNamespace(replicas=None))
    plain: Any = cast(Any, ingress.Ingress).func_or_class.__mro__[1]
    made = plain.__new__(plain)
    await made.__init__(stages, {"detector": "mtcnn"}, LimitArgs(), AddressArgs(), gallery, access, 1)
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
