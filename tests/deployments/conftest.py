"""The environment of tests that configure a start."""

import os
from collections.abc import Iterator
from unittest.mock import patch

import pytest

from deployments import transport

PREFIXES = ("RAY_", "OTEL_", "FACEGRAPH_")
VARIABLES = {*transport.SWITCHES, "HOST", "PORT", "TMPDIR", "HTTPS_PROXY", "MODEL_MIRROR"}


@pytest.fixture
def clean_environment() -> Iterator[None]:
    """Unset all variables that configure a start, and undo every change of the environment after the test."""
    with patch.dict(os.environ):
        for name in [name for name in os.environ if name in VARIABLES or name.startswith(PREFIXES)]:
            del os.environ[name]
        yield
