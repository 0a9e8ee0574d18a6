"""GET /, GET /health, and what probes ask."""

import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from importlib import metadata

import pytest

from api.health import iso
from graphs.stages import Ready, Stages
from tests.fakes import LocalGallery, People, client, is_not_ready, is_ready, stages


def with_ready(detector: Ready, liveness: Ready, embedder: Ready) -> Stages:
    """Stages that answer so; a second detector is always ready where the first one is."""
    whole = stages()
    first = replace(whole.detectors["mtcnn"], ready=detector)
    return Stages(
        detectors={"mtcnn": first, "mediapipe": first},
        liveness={"crmnet": replace(whole.liveness["crmnet"], ready=liveness)},
        embedders={"arcface": replace(whole.embedders["arcface"], ready=embedder)},
        gallery=whole.gallery,
    )


@pytest.mark.parametrize(
    ("verdicts", "status", "code"),
    [
        ((True, True, True), "healthy", 200),
        ((False, True, True), "degraded", 200),
        ((True, False, True), "degraded", 200),
        ((True, True, False), "degraded", 200),
        ((False, False, True), "degraded", 200),
        ((False, False, False), "unhealthy", 503),
    ],
)
def test_health_is_the_stages(verdicts: tuple[bool, bool, bool], status: str, code: int) -> None:
    detector, liveness, embedder = (is_ready if verdict else is_not_ready for verdict in verdicts)
    response = client(with_ready(detector, liveness, embedder)).get("/health")
    assert response.status_code == code
    assert response.json()["status"] == status
    assert response.json()["models"] == {
        "mtcnn": verdicts[0],
        "mediapipe": verdicts[0],
        "crmnet": verdicts[1],
        "arcface": verdicts[2],
    }


def test_health_has_the_contracts_fields() -> None:
    found = client().get("/health").json()
    assert found.keys() >= {"status", "timestamp", "models", "version"}
    assert found["models"] == {"mtcnn": True, "crmnet": True, "arcface": True}
    assert found["version"] == metadata.version("facegraph")
    assert isinstance(found["timestamp"], float)


def test_health_tells_the_time_in_both_forms(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "time", lambda: 1673123456.789)
    found = client().get("/health").json()
    assert found["timestamp"] == 1673123456.789
    assert found["timestamp_iso"] == "2023-01-07T20:30:56.789Z"


def test_health_has_the_fields_of_the_other_contracts_too() -> None:
    found = client(People().stages()).get("/health").json()
    assert (found["status"], found["model_loaded"], found["database_connected"]) == ("healthy", True, True)
    assert found["service"] == "facegraph"
    assert (found["model"], found["embedding_dimensions"], found["network_dimensions"]) == ("other-model", 512, 3)
    assert found["networks"]["facenet"]["embedding_dimensions"] == 3


def test_without_a_facenet_health_names_none() -> None:
    assert client().get("/health").json().keys().isdisjoint({"model", "embedding_dimensions", "network_dimensions"})


@pytest.mark.parametrize(
    ("stage", "gallery", "status", "code"),
    [
        (True, True, "healthy", 200),
        (True, False, "degraded", 200),
        (False, True, "unhealthy", 503),
        (False, False, "unhealthy", 503),
    ],
)
def test_health_is_the_gallerys_too(stage: bool, gallery: bool, status: str, code: int) -> None:
    ready = is_ready if stage else is_not_ready
    of = replace(with_ready(ready, ready, ready), gallery=LocalGallery(ready=gallery))
    response = client(of).get("/health")
    found = response.json()
    assert (response.status_code, found["status"]) == (code, status)
    assert (found["model_loaded"], found["database_connected"]) == (stage, gallery)


@pytest.mark.parametrize("number", range(3))
def test_one_stage_that_is_not_ready_is_a_model_that_is_not_loaded(number: int) -> None:
    verdicts = [is_not_ready if number == each else is_ready for each in range(3)]
    found = client(with_ready(*verdicts)).get("/health").json()
    assert (found["model_loaded"], found["database_connected"], found["status"]) == (False, True, "degraded")


@pytest.mark.parametrize(
    ("moment", "text"),
    [
        (datetime(2024, 1, 15, 12, tzinfo=UTC), "2024-01-15T12:00:00.000Z"),
        (datetime(2024, 1, 15, 12, 0, 0, 999_999, tzinfo=UTC), "2024-01-15T12:00:00.999Z"),
        (datetime(2024, 1, 15, 12, tzinfo=timezone(timedelta(hours=5, minutes=30))), "2024-01-15T06:30:00.000Z"),
    ],
)
def test_a_time_is_told_in_utc(moment: datetime, text: str) -> None:
    assert iso(moment) == text


def test_health_names_the_networks() -> None:
    assert client().get("/health").json()["networks"]["crmnet"] == {
        "model": "liveness-model",
        "title": "The liveness",
        "licence": "The liveness's licence",
    }


def test_health_tells_an_embedders_size_and_threshold() -> None:
    embedder = client().get("/health").json()["networks"]["arcface"]
    assert embedder["embedding_dimensions"] == 2
    assert embedder["cosine_threshold"] == 0.4


def test_a_role_of_two_kinds_is_ready_if_both_are_and_names_both() -> None:
    whole = stages()
    of = replace(whole, detectors={"arcface": replace(whole.detectors["mtcnn"], ready=is_not_ready)})
    found = client(of).get("/health").json()
    assert (found["status"], found["models"]) == ("degraded", {"arcface": False, "crmnet": True})
    assert {name: about["model"] for name, about in found["networks"].items()} == {
        "detector-arcface": "detector-model",
        "crmnet": "liveness-model",
        "embedder-arcface": "embedder-model",
    }


def test_damaged_collections_are_counted_but_not_named() -> None:
    of = replace(stages(), gallery=LocalGallery(unreadable=["staff", "guests"]))
    response = client(of).get("/health")
    found = response.json()
    assert (found["status"], found["database_connected"], found["unreadable_collections"]) == ("degraded", True, 2)
    assert "staff" not in response.text
    assert client(of).get("/readyz").status_code == 200


def test_a_process_is_alive_whatever_its_stages_are() -> None:
    response = client(with_ready(is_not_ready, is_not_ready, is_not_ready)).get("/livez")
    assert (response.status_code, response.json()) == (200, {"status": "alive"})


@pytest.mark.parametrize("away", [None, "detector-mtcnn", "liveness-crmnet", "embedder-arcface", "gallery"])
def test_a_service_is_ready_when_every_stage_is(away: str | None) -> None:
    whole, ready = stages(), {True: is_ready, False: is_not_ready}
    of = Stages(
        detectors={"mtcnn": replace(whole.detectors["mtcnn"], ready=ready[away != "detector-mtcnn"])},
        liveness={"crmnet": replace(whole.liveness["crmnet"], ready=ready[away != "liveness-crmnet"])},
        embedders={"arcface": replace(whole.embedders["arcface"], ready=ready[away != "embedder-arcface"])},
        gallery=LocalGallery(ready=away != "gallery"),
    )
    response = client(of).get("/readyz")
    assert response.status_code == (200 if away is None else 503)
    assert response.json() == {
        "ready": away is None,
        "stages": {name: name != away for name in ("detector-mtcnn", "liveness-crmnet", "embedder-arcface", "gallery")},
    }


def test_the_root_says_what_this_is_and_where_to_read_on() -> None:
    app = client()
    found = app.get("/").json()
    assert "face" in found["message"]
    assert found["status"] == "healthy"
    assert found["version"] == metadata.version("facegraph")
    for place in (found["docs"], found["health"]):
        assert app.get(place).status_code == 200
