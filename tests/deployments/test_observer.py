"""What is done about an answered request."""

import pytest

from deployments import observer
from deployments.observer import Observer
from graphs.observed import Answered
from graphs.timing import Recorder
from tests.fakes import serve_log

MATCH = Answered("POST", "/match", 503, "TIMEOUT", 0.12345, Recorder(0.0))


def test_a_request_is_counted_and_leaves_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    counted: list[Answered] = []
    monkeypatch.setattr(observer, "Metrics", lambda: counted.append)
    with serve_log() as log:
        Observer()(MATCH)
    assert counted == [MATCH]
    [line] = log
    assert line.getMessage() == "POST /match 503 123.5ms"
    assert {name: line.__dict__[name] for name in observer.FIELDS} == {
        "http_method": "POST",
        "http_route": "/match",
        "http_status": 503,
        "duration_ms": 123.5,
        "error_code": "TIMEOUT",
    }
