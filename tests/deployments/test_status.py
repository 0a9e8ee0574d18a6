"""Status of the stages, from a fake controller and fake stages."""

import asyncio
from types import SimpleNamespace
from typing import Any, cast

import pytest
from ray.exceptions import ActorUnavailableError

from deployments import status
from deployments.stage import Caller, StageCaller
from deployments.status import Controller, ServeStatus
from imaging.refused import Refused
from telemetry.call_window import CallWindow
from telemetry.status import Replicas
from tests.deployments.handles import Answers
from tests.fakes import EMBEDDER_CROP, fake_card, serve_log
from tests.gallery.sample_gallery import in_loop

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


def controller(*answers: Any) -> Controller:
    details = SimpleNamespace(remote=Answers(*answers))
    return Controller(SimpleNamespace(get_serve_instance_details=details), "facegraph")


def test_replicas_are_counted_by_state() -> None:
    assert asyncio.run(controller(DETAILS).replicas()) == {
        "detector-mtcnn": Replicas(running=2, starting=3, stopping=2, wanted=4),
        "ingress": Replicas(running=1, wanted=1),
    }


@pytest.mark.parametrize(
    "answer",
    [ActorUnavailableError("it restarts", None), {"applications": {}}, asyncio.Event()],
    ids=["died", "recovering", "silent"],
)
def test_controller_without_an_answer_is_unavailable(answer: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(status, "CONTROLLER_TIMEOUT_S", 0.01)
    with serve_log() as log, pytest.raises(Refused, match="UNAVAILABLE"):
        asyncio.run(controller(answer).replicas())
    assert len(log) == 1


@in_loop
async def test_status_has_the_replicas_of_the_stages_deployment() -> None:
    failing, well = (
        SimpleNamespace(ready=Answers(each), answer=None) for each in (OSError("its files are gone"), None)
    )
    detector = StageCaller[Any, Any]("mtcnn", fake_card("detector", "detector"), cast(Any, failing), "detector-mtcnn")
    card = fake_card("embedder", "embedder", [EMBEDDER_CROP], output={"size": 2})
    inside = StageCaller[Any, Any]("arcface", card, cast(Any, well), "ingress")
    watched: list[Caller] = [detector, inside, Caller("gallery", "gallery", "gallery-writer", Answers(None))]
    requests = CallWindow()
    requests.begin()
    inside.calls.begin()
    with serve_log():
        for each in watched:
            await each.readiness.look()
    statuses = await ServeStatus(controller(DETAILS), watched, requests)()
    assert [(each.deployment, each.kind, each.role, each.card, each.ready) for each in statuses] == [
        ("detector-mtcnn", "detector", "mtcnn", detector.card, False),
        ("embedder-arcface", "embedder", "arcface", card, True),
        ("gallery-writer", "gallery", None, None, True),
        ("ingress", "ingress", None, None, True),
    ]
    assert [each.replicas.wanted for each in statuses] == [4, 1, 0, 1]
    assert [each.calls.ongoing for each in statuses] == [0, 1, 0, 1]
