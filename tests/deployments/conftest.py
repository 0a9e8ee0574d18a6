"""The environment of tests that configure a start, and why a start is refused."""

import logging
import os
from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import Any
from unittest.mock import patch

import pytest

from deployments import transport
from deployments.errors import StartError
from tests.fakes import serve_log

PREFIXES = ("RAY_", "OTEL_", "FACEGRAPH_")
VARIABLES = {*transport.SWITCHES, "HOST", "PORT", "TMPDIR", "HTTPS_PROXY", "MODEL_MIRROR"}


@pytest.fixture
def clean_environment() -> Iterator[None]:
    """Unset all variables that configure a start, and undo every change of the environment after the test."""
    with patch.dict(os.environ):
        for name in [name for name in os.environ if name in VARIABLES or name.startswith(PREFIXES)]:
            del os.environ[name]
        yield


@pytest.fixture
def log() -> Iterator[list[logging.LogRecord]]:
    """What the service logs."""
    with serve_log() as records:
        yield records


def refusal(start: AbstractContextManager[Any]) -> str:
    """The message of the StartError that `start` raises when it is entered."""
    with pytest.raises(StartError) as caught, start:
        pass
    return str(caught.value)
