"""Redirects are never built from the request's Host header, which the client controls."""

import re

import pytest
from starlette.testclient import TestClient

from api.app import FORMS, routes
from api.errors import envelope
from imaging.refused import Refused
from tests.fakes import client as client_of

HOST = {"host": "elsewhere.example"}


@pytest.fixture(scope="module")
def client() -> TestClient:
    return client_of()


OPERATIONS = [
    (method.upper(), re.sub("{.*?}", "x", path))
    for path, item in routes(False).openapi()["paths"].items()
    for method in item
    if path != "/"
]


@pytest.mark.parametrize(("method", "path"), OPERATIONS)
def test_a_path_with_a_trailing_slash_is_refused(client: TestClient, method: str, path: str) -> None:
    answer = client.request(method, f"{path}/", headers=HOST, follow_redirects=False)
    # Where an id is the rest of the path, there is nothing of this id; a subject's path knows no POST.
    assert answer.status_code in (404, 405)
    form = FORMS.get(path.split("/")[1], envelope)
    assert answer.json().keys() == form(Refused("NOT_FOUND", "Not Found"), "")[1].keys()


@pytest.mark.parametrize(
    "path", ["/ui", "/ui//", "/ui/.", "/ui/views/..", "/ui/views", "/ui/views/", "/docs/", "/redoc/"]
)
def test_no_address_of_the_page_leads_to_another_host(client: TestClient, path: str) -> None:
    # Dots as such: clients resolve them before they ask.
    answer = client.get(path.replace(".", "%2e"), headers=HOST, follow_redirects=False)
    assert answer.headers.get("location", "ui/") == "ui/"
    assert answer.status_code in (200, 307, 404)
