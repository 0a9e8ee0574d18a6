"""GET /, GET /health, and the probes."""

import time
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from importlib import metadata

import pytest

from api.health import iso
from graphs.stages import Stages
from tests.fakes import People, changed, client, stages, with_stages
from tests.local_gallery import LocalGallery

STAGES = ("mtcnn", "crmnet", "arcface")


def without(*away: str) -> Stages:
    """Stages. The roles in `away`, or the gallery, do not answer."""
    whole = stages(gallery=LocalGallery(ready="gallery" not in away))
    return with_stages(whole, *(changed(stage, is_ready=stage.role not in away) for stage in whole.all))


@pytest.mark.parametrize(
    ("away", "status", "code"),
    [
        ((), "healthy", 200),
        *(((name,), "degraded", 200) for name in (*STAGES, "gallery")),
        (STAGES, "unhealthy", 503),
        ((*STAGES, "gallery"), "unhealthy", 503),
    ],
)
def test_health_is_that_of_the_stages_and_the_gallery(away: tuple[str, ...], status: str, code: int) -> None:
    app = client(without(*away))
    response = app.get("/health")
    found = response.json()
    assert (response.status_code, found["status"]) == (code, status)
    assert found["models"] == {name: name not in away for name in STAGES}
    assert found["model_loaded"] is not any(name in away for name in STAGES)
    assert found["database_connected"] is ("gallery" not in away)
    response = app.get("/readyz")
    assert response.status_code == (503 if away else 200)
    deployments = dict(zip(STAGES, ("detector-mtcnn", "liveness-crmnet", "embedder-arcface"), strict=True))
    ready = {deployment: name not in away for name, deployment in deployments.items()}
    assert response.json() == {"ready": not away, "stages": {**ready, "gallery": "gallery" not in away}}


def test_health_has_the_fields_of_every_contract(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "time", lambda: 1673123456.789)
    found = client(People().stages()).get("/health").json()
    assert (found["timestamp"], found["timestamp_iso"]) == (1673123456.789, "2023-01-07T20:30:56.789Z")
    assert (found["version"], found["service"]) == (metadata.version("facegraph"), "facegraph")
    described = {"title": "The liveness", "licence": "The liveness's licence"}
    assert found["networks"]["crmnet"] == {"model": "liveness-model", **described}
    described = {"model": "other-model", "title": "The other", "licence": "The other's licence"}
    assert found["networks"]["facenet"] == {**described, "embedding_dimensions": 3, "cosine_threshold": 0.5}
    of_facenet = {"model": "other-model", "embedding_dimensions": 512, "network_dimensions": 3}
    assert found.items() >= of_facenet.items()
    assert client().get("/health").json().keys().isdisjoint(of_facenet)


def test_a_time_is_written_in_utc_with_milliseconds() -> None:
    moment = datetime(2024, 1, 15, 12, 0, 0, 999_999, tzinfo=timezone(timedelta(hours=5, minutes=30)))
    assert iso(moment) == "2024-01-15T06:30:00.999Z"


def test_damaged_collections_are_counted_but_not_named() -> None:
    of = replace(stages(), gallery=LocalGallery(unreadable=["staff", "guests"]))
    response = client(of).get("/health")
    found = response.json()
    assert (found["status"], found["database_connected"], found["unreadable_collections"]) == ("degraded", True, 2)
    assert "staff" not in response.text
    assert client(of).get("/readyz").status_code == 200


def test_a_process_is_alive_though_no_stage_answers() -> None:
    response = client(without(*STAGES, "gallery")).get("/livez")
    assert (response.status_code, response.json()) == (200, {"status": "alive"})


def test_the_root_describes_the_service_and_links_to_more() -> None:
    app = client()
    found = app.get("/").json()
    assert "face" in found["message"]
    assert (found["status"], found["version"]) == ("healthy", metadata.version("facegraph"))
    assert app.get(found["docs"]).status_code == app.get(found["health"]).status_code == 200
