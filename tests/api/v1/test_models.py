"""GET /v1/models and GET /v1/status, over fake networks."""

from dataclasses import replace
from typing import Any

from starlette.testclient import TestClient

from api.app import create_app
from graphs.flow_settings import FlowSettings
from tests.api.conftest import KeyedService
from tests.api.v1 import Api
from tests.fakes import changed, client, stages, with_stages
from tests.local_gallery import LocalGallery

PLAIN = dict.fromkeys(("embedding_contract", "embedding_dimensions", "cosine_threshold", "threshold_source"))


def network(name: str, **more: Any) -> dict[str, Any]:
    """A listed network."""
    return {"model": f"{name}-model", "title": f"The {name}", "licence": f"The {name}'s licence", **PLAIN, **more}


def test_every_network_is_listed_by_its_role() -> None:
    response = Api().get("/v1/models")
    assert response.status_code == 200
    first = {"embedding_contract": "contract", "embedding_dimensions": 2, "cosine_threshold": 0.4}
    second = {"embedding_contract": "contract-of-3", "embedding_dimensions": 3, "cosine_threshold": 0.5}
    assert response.json() == {
        "detectors": {"mtcnn": network("detector")},
        "liveness": {"crmnet": network("liveness")},
        "embedders": {
            "arcface": network("embedder", **first, threshold_source="card"),
            "facenet": network("other", **second, threshold_source="card"),
        },
        "attributes": {},
        "defaults": {"detector": "mtcnn", "liveness": "crmnet", "embedder": "arcface", "pose": None, "eyes": None},
    }


def test_a_threshold_of_the_configuration_replaces_the_cards() -> None:
    api = Api(settings=FlowSettings(thresholds={"arcface": 0.95}))
    told = {role: each["cosine_threshold"] for role, each in api.get("/v1/models").json()["embedders"].items()}
    assert told == {"arcface": 0.95, "facenet": 0.5}
    assert api.get("/v1/models").json()["embedders"]["arcface"]["threshold_source"] == "configuration"


def test_the_default_detector_is_used_unless_a_request_names_one() -> None:
    api = Api()
    other = changed(api.stages.detectors["mtcnn"], role="retinaface", name="other-detector-model")
    stages = with_stages(api.stages, other)
    api.client = client(replace(stages, defaults={**stages.defaults, "detector": "retinaface"}))
    assert api.get("/v1/models").json()["defaults"]["detector"] == "retinaface"
    for options, model in (({}, "other-detector-model"), ({"detector": "mtcnn"}, "detector-model")):
        assert api.send("/v1/detect", "anna", **options).json()["models"]["detector"] == model


def test_every_stage_is_reported() -> None:
    response = client().get("/v1/status")
    assert response.status_code == 200
    quiet = {"ongoing": 0, "recent": 0, "p50_ms": None, "p95_ms": None}
    assert response.json() == {
        "stages": [
            {
                "deployment": "detector-mtcnn",
                "kind": "detector",
                "role": "mtcnn",
                "model": "detector-model",
                "title": "The detector",
                "licence": "The detector's licence",
                "ready": True,
                "replicas": {"running": 1, "starting": 2, "stopping": 3, "wanted": 4},
                "autoscaling": {"replicas": 4, "reason": "waiting"},
                "calls": {"ongoing": 0, "recent": 1, "p50_ms": 250.0, "p95_ms": 250.0},
            },
            {
                "deployment": "ingress",
                "kind": "ingress",
                **dict.fromkeys(("role", "model", "title", "licence")),
                "ready": True,
                "replicas": {"running": 1, "starting": 0, "stopping": 0, "wanted": 1},
                "autoscaling": None,
                "calls": quiet,
            },
        ],
        "unreadable_collections": [],
        "indexes": [
            {"model": "mobilefacenet", "collections": 1, "faces": 5_000_000, "unindexed": 2_000, "recall": 0.99}
        ],
        "since_s": 60,
    }


def test_damaged_collections_are_named_to_keys_that_reach_them(keyed: KeyedService) -> None:
    damaged = LocalGallery(unreadable=["guests", "staff"])
    keyed.client = TestClient(create_app(replace(keyed.service, stages=replace(stages(), gallery=damaged))))
    for collections, named in (([], ["guests", "staff"]), (["staff", "x"], ["staff"])):
        found = keyed.ask("GET", "/v1/status", keyed.key("read", collections=collections)).json()
        assert found["unreadable_collections"] == named
