"""The files of the page at /ui: who may load them, how long they are cached, and what they may load."""

import re
from pathlib import Path

import pytest

from api import page
from api.security_headers import HEADERS
from tests.fakes import client

LOADED = re.compile(r'(?:src|href)="([^"#]+)"|from "([^"]+)"')


def test_the_root_links_to_the_page_by_a_relative_redirect() -> None:
    assert client().get("/").json()["page"] == "/ui"
    # Relative: a proxy may serve the page below another path.
    response = client().get("/ui", follow_redirects=False)
    assert (response.status_code, response.headers["location"]) == (307, "ui/")
    response = client().get("/ui/")
    assert (response.status_code, response.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert response.content == (page.FILES / "index.html").read_bytes()


def test_every_linked_file_exists_and_none_is_of_another_origin() -> None:
    named: dict[str, Path] = {}
    for path in page.FILES.rglob("*"):
        if path.suffix in (".html", ".js", ".css"):
            text = path.read_text("utf-8")
            assert set(re.findall(r"\w+://[^\s\"']+", text)) <= {"http://www.w3.org/2000/svg"}
            named |= {found: path for pair in LOADED.findall(text) for found in pair if found}
    named.pop("../docs")
    assert {name for name, path in named.items() if not (path.parent / name).is_file()} == set()
    assert len(named) > 20


def test_every_file_has_the_pages_policy_and_is_revalidated_by_its_tag() -> None:
    session = client()
    files = page.PATHS - {"/ui"}
    assert len(files) > 20
    for path in files:
        response = session.get(path)
        assert response.status_code == 200
        kept = {**HEADERS, "Cache-Control": "no-cache", "Content-Security-Policy": page.POLICY}
        assert {name: response.headers[name] for name in kept} == kept
        again = session.get(path, headers={"If-None-Match": response.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")


def test_the_policy_lets_the_page_load_nothing_but_its_own_and_run_no_markup() -> None:
    policy = dict(part.split(" ", 1) for part in page.POLICY.split("; "))
    assert policy["default-src"] == policy["frame-ancestors"] == policy["base-uri"] == policy["form-action"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
    assert policy["img-src"] == "'self' blob: data:"
    assert "unsafe" not in page.POLICY


@pytest.mark.parametrize(
    "path",
    [
        "/ui/nowhere",
        *("/ui/..%2f__init__.py", "/ui/%2e%2e/__init__.py", "/ui/%00", f"/ui/{'a' * 5000}"),
        *("/ui/views", "/ui/views/", "/ui//", "/ui/app.js/", "/ui//app.js", "/ui/views/%2e%2e/app.js", "/docs/"),
    ],
)
def test_other_paths_are_not_found_and_redirect_to_no_other_host(path: str) -> None:
    response = client().get(path, headers={"host": "elsewhere.example"}, follow_redirects=False)
    assert response.status_code == 404
    assert response.json()["error"]["code"] == "NOT_FOUND"
