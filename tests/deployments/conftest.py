"""The environment of tests that configure a start."""

import os
from collections.abc import Iterator
from unittest.mock import patch

import pytest

from deployments import transport

RAYS = ("ADDRESS", "AUTH_MODE", "AUTH_TOKEN", "AUTH_TOKEN_PATH", "DEFAULT_OBJECT_STORE_MAX_MEMORY_BYTES")
SERVES = ("TRACING_EXPORTER_IMPORT_PATH", "TRACING_SAMPLING_RATIO", "HAPROXY_MAXCONN")
VARIABLES = (
    *(*transport.SWITCHES, *transport.PORTS, *transport.FILES, *transport.COLLECTORS),
    *(*(f"RAY_{name}" for name in RAYS), *(f"RAY_SERVE_{name}" for name in SERVES), "RAY_TMPDIR", "RAY_USE_TLS"),
    *("OTEL_SERVICE_NAME", "OTEL_TRACES_SAMPLER_ARG", "FACEGRAPH_BIND", "FACEGRAPH_HAPROXY"),
    *("HOST", "PORT", "TMPDIR", "HTTPS_PROXY", "MODEL_MIRROR"),
)


@pytest.fixture
def clean_environment() -> Iterator[None]:
    """Unset all variables that configure a start, and undo every change of the environment after the test."""
    with patch.dict(os.environ):
        for name in VARIABLES:
            os.environ.pop(name, None)
        yield
