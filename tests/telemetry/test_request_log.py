"""Reporting an answered request."""

import pytest

from telemetry import request_log
from telemetry.answered_request import AnsweredRequest
from telemetry.request_log import RequestLog
from telemetry.request_record import RequestRecord
from tests.fakes import serve_log


def test_request_is_counted_and_logged_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    counted: list[AnsweredRequest] = []
    monkeypatch.setattr(request_log, "Metrics", lambda: counted.append)
    answered = AnsweredRequest("POST", "/match", 503, "TIMEOUT", 0.12345, RequestRecord(0.0))
    with serve_log() as log:
        RequestLog()(answered)
    assert counted == [answered]
    [line] = log
    assert line.getMessage() == "POST /match 503 123.5ms"
    fields = ("http_method", "http_route", "http_status", "duration_ms", "error_code")
    assert [line.__dict__[name] for name in fields] == ["POST", "/match", 503, 123.5, "TIMEOUT"]
