"""GET /v1/status."""

from dataclasses import replace

from starlette.testclient import TestClient

from api.app import create_app
from tests.api.conftest import KeyedService
from tests.fakes import client, stages
from tests.local_gallery import LocalGallery


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
