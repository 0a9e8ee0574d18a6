"""What is done about an answered request."""

import pytest

from telemetry import request_log
from telemetry.answered_request import AnsweredRequest
from telemetry.request_log import RequestLog
from telemetry.timing import Recorder
from tests.fakes import serve_log

MATCH = AnsweredRequest("POST", "/match", 503, "TIMEOUT", 0.12345, Recorder(0.0))


def test_a_request_is_counted_and_leaves_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    counted: list[AnsweredRequest] = []
    monkeypatch.setattr(request_log, "Metrics", lambda: counted.append)
    with serve_log() as log:
        RequestLog()(MATCH)
    assert counted == [MATCH]
    [line] = log
    assert line.getMessage() == "POST /match 503 123.5ms"
    assert {name: line.__dict__[name] for name in request_log.FIELDS} == {
        "http_method": "POST",
        "http_route": "/match",
        "http_status": 503,
        "duration_ms": 123.5,
        "error_code": "TIMEOUT",
    }
