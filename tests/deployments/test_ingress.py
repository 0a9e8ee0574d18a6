"""The ingress, its stages and their status, without a cluster."""

import asyncio
from functools import partial
from types import SimpleNamespace
from typing import Any, cast

import httpx
import numpy as np
import pytest
from ray.exceptions import ActorUnavailableError

from access.settings import AccessArgs
from api.settings import DownloadArgs, LimitArgs
from deployments import ingress, status
from deployments.ingress import BoundStage
from deployments.readiness import first_looks
from deployments.stage import Caller, StageCaller
from deployments.status import ServeStatus, count_replicas
from deployments.workers import Workers
from gallery.records import ReaderReport
from models.catalogue import card
from project.request_error import RequestError
from telemetry.call_window import CallWindow
from telemetry.request_record import TimedAnswer, recording
from telemetry.status import Autoscaling, Replicas
from tests.deployments.handles import Answers, handle
from tests.fakes import EMBEDDER_CROP, fake_card, serve_log
from tests.waiting import TIMEOUT_S


@pytest.mark.parametrize("inside", [False, True])
async def test_a_stage_is_asked_in_its_deployment_or_inside_the_ingress(inside: bool) -> None:
    class Replica:
        def __init__(self, workers: Workers | None = None) -> None: ...

        async def answer(self, question: Any) -> TimedAnswer[Any]:
            return TimedAnswer(question, 0.125)

        async def ready(self) -> None: ...

    stage: Any = partial(Replica) if inside else handle(Replica(), "embedder-role")
    caller = BoundStage(card("mobilefacenet"), stage).caller("role", Workers(1))
    question = (np.zeros((2, 1)),)
    with recording(0.0) as recorder:
        assert await caller.ask(question) is question
        names = [entry.rpartition(";dur=")[0] for entry in recorder.header(1.0).split(", ")]
    assert names == ["total", "ingress", 'embedder;desc="role"', "embedder-busy"]
    assert [call.size for call in recorder.calls] == [2]
    assert caller.host == ("ingress" if inside else "embedder-role")


async def test_a_fresh_ingress_is_ready_once_every_stage_has_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    started = asyncio.Event()

    def named(name: str, answer: object = None, waits: bool = False) -> Any:
        class Replica:
            async def ready(self) -> object:
                if waits:
                    await started.wait()
                return answer

            async def call(self, operation: str, *args: object, **options: object) -> None: ...

            async def answer(self, question: object) -> None: ...

        return handle(Replica(), name)

    stages = {
        "mtcnn": BoundStage(card("mtcnn"), named("detector-mtcnn", waits=True)),
        "crmnet": BoundStage(card("minifasnet"), named("liveness-crmnet")),
    }
    gallery = named("gallery-writer"), named("gallery-reader", ReaderReport(unreadable=["staff"]), waits=True)
    access = AccessArgs(require_keys=False, audit_log="")
    monkeypatch.setattr(ingress, "first_looks", lambda watched: first_looks(watched, 0.1))
    monkeypatch.setattr(ingress, "_status", lambda watched, requests: None)
    plain: Any = cast(Any, ingress.Ingress).func_or_class.__mro__[1]
    made = plain.__new__(plain)
    await made.__init__(stages, {"detector": "mtcnn"}, LimitArgs(), DownloadArgs(), gallery, access, 1)
    transport = httpx.ASGITransport(made.__serve_build_asgi_app__())
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client, asyncio.timeout(TIMEOUT_S):
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


STATES = ["RUNNING", "RUNNING", "STARTING", "UPDATING", "RECOVERING", "STOPPING", "PENDING_MIGRATION"]
DETAILS = {
    "applications": {
        "facegraph": {
            "deployments": {
                "detector-mtcnn": {"target_num_replicas": 4, "replicas": [{"state": state} for state in STATES]},
                "ingress": {"target_num_replicas": 1, "replicas": [{"state": "RUNNING"}]},
            }
        }
    }
}


def controller(*answers: Any) -> Any:
    """The handle of a controller that gives these answers."""
    return SimpleNamespace(get_serve_instance_details=SimpleNamespace(remote=Answers(*answers)))


@pytest.mark.parametrize(
    "answer",
    [ActorUnavailableError("it restarts", None), {"applications": {}}, asyncio.Event()],
    ids=["died", "recovering", "silent"],
)
async def test_controller_without_an_answer_is_unavailable(answer: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(status, "CONTROLLER_TIMEOUT_S", 0.01)
    with serve_log() as log, pytest.raises(RequestError, match="UNAVAILABLE"):
        await count_replicas(controller(answer), "facegraph")
    assert len(log) == 1


async def test_status_has_the_replicas_of_the_stages_deployment(monkeypatch: pytest.MonkeyPatch) -> None:
    failing, well, answer = Answers(OSError("its files are gone")), Answers(None), Answers()
    detector = StageCaller("mtcnn", fake_card("detector", "detector"), answer, failing, "detector-mtcnn")
    card = fake_card("embedder", "embedder", [EMBEDDER_CROP], output={"size": 2})
    inside = StageCaller("arcface", card, answer, well, "ingress")
    watched: list[Caller] = [detector, inside, Caller("gallery", "gallery", "gallery-writer", Answers(None))]
    requests = CallWindow()
    requests.begin()
    inside.calls.begin()
    with serve_log():
        for each in watched:
            await each.readiness.look()
    decided = {"ingress": Autoscaling(2, "waiting: 40 calls")}
    monkeypatch.setattr(status, "published", Answers(decided))
    statuses = await ServeStatus(controller(DETAILS), "facegraph", watched, requests)()
    assert [(each.deployment, each.kind, each.role, each.card, each.ready) for each in statuses] == [
        ("detector-mtcnn", "detector", "mtcnn", detector.card, False),
        ("embedder-arcface", "embedder", "arcface", card, True),
        ("gallery-writer", "gallery", None, None, True),
        ("ingress", "ingress", None, None, True),
    ]
    mtcnn, alone = Replicas(running=2, starting=3, stopping=2, wanted=4), Replicas(running=1, wanted=1)
    assert [each.replicas for each in statuses] == [mtcnn, alone, Replicas(), alone]
    assert [each.autoscaling for each in statuses] == [None, decided["ingress"], None, decided["ingress"]]
    assert [each.calls.ongoing for each in statuses] == [0, 1, 0, 1]
