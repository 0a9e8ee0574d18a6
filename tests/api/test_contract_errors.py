"""Errors of the older contracts: whatever is refused, their clients get a status and a code that they know."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.app import FORMS
from api.contracts import deepface
from api.errors import GENERAL, STATUSES
from imaging.refused import Refused
from tests.conftest import PROJECT

RAISED = re.compile(r'Refused\(\s*f?"([A-Z_]+)')
ROOMS = ("access", "api", "deployments", "gallery", "graphs", "imaging", "models")
CODES = set(STATUSES).union(
    *(RAISED.findall(path.read_text("utf-8")) for room in ROOMS for path in (PROJECT / room).rglob("*.py"))
)
"""Every code of the service, and the beginnings of those that are put together."""

STATUSES_KNOWN = {400, 401, 403, 404, 405, 408, 413, 429, 500, 503, 507}
"""Those of the documents of the five services, and those that are new in every contract (docs/contracts.md)."""


def test_the_codes_are_found() -> None:
    assert len(CODES) > 30
    assert {"URL_NOT_ALLOWED", "IMAGE_TOO_COMPLEX", "EMBEDDING_CONTRACT_MISMATCH", "UNKNOWN_"} <= CODES


@pytest.mark.parametrize("name", FORMS)
def test_every_refusal_has_a_status_of_the_contract(name: str) -> None:
    answers = {code: FORMS[name](Refused(code, "Because"), "id") for code in CODES}
    assert {code for code, (status, _) in answers.items() if status not in STATUSES_KNOWN} == set()
    assert {code for code, (status, _) in answers.items() if status == 404} <= {"NOT_FOUND", "FACE_NOT_FOUND"}


@pytest.mark.parametrize("code", sorted(CODES))
def test_every_refusal_has_a_code_of_the_deepface_contract(code: str) -> None:
    _, body = deepface.error_answer(Refused(code, "Because"), "id")
    assert body["detail"]["message"] == "Because"
    shown = body["detail"]["code"]
    assert shown in deepface.CODES
    if code in deepface.CODES:
        assert shown == code
    elif "IMAGE" in code:
        assert shown == "INVALID_IMAGE"
    elif "URL" in code or "DOWNLOAD" in code:
        assert shown == "DOWNLOAD_FAILED"


@given(st.text())
def test_a_code_that_is_not_made_yet_has_one_too(code: str) -> None:
    assert deepface.error_answer(Refused(code, "Because"), "id")[1]["detail"]["code"] in deepface.CODES


def test_the_general_codes_are_those_of_the_document() -> None:
    text = (PROJECT / "docs" / "contracts.md").read_text("utf-8")
    new = text[text.index("These are new in all of them") : text.index("\n## ")]
    assert {code for code in GENERAL if f"`{code}`" not in new} == set()
