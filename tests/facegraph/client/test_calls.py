"""The requests that describe calls: paths, bodies and pages."""

from collections.abc import Sequence
from urllib.parse import unquote

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from facegraph.client.api_call import api_path
from facegraph.client.collections import put_collection
from facegraph.client.subjects import subjects

CLIENT = httpx.Client(base_url="http://faces.example/behind")


@given(st.lists(st.sampled_from([".", "..", "a/b", "%2F", "?x=1#y", "a b+c"]) | st.text(min_size=1).filter(str.strip)))
def test_a_path_has_exactly_the_given_segments(parts: Sequence[str]) -> None:
    path = CLIENT.build_request("GET", api_path(*parts)).url.raw_path.decode()
    assert [unquote(part) for part in path.split("/")] == ["", "behind", "v1", *parts]


def test_an_empty_segment_is_refused() -> None:
    with pytest.raises(ValueError, match="empty"):
        api_path("collections", "")


def test_a_threshold_is_kept_reset_or_set() -> None:
    assert put_collection("staff").json == {}
    assert put_collection("staff", threshold=None).json == {"threshold": None}
    assert put_collection("staff", embedder="facenet", threshold=0.3).json == {"embedder": "facenet", "threshold": 0.3}


def test_subjects_are_listed_page_by_page() -> None:
    subject = {"id": "b/&", "faces": 1, **dict.fromkeys(("first_enrolled", "last_enrolled"), "2026-01-15T10:30:00Z")}
    call = subjects("staff", after="a")
    page = call.decode({"subjects": [subject], "next": "b/&"})
    assert [each.id for each in page.items] == ["b/&"]
    following = page.next_call()
    assert following is not None
    assert (following.path, following.params["after"]) == (call.path, "b/&")
    assert following.decode({"subjects": [], "next": None}).next_call() is None
