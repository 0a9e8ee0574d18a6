"""Services with the Rekognition API, whose packages are an extra."""

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from access.key_encryption import KeyCipher, create_operator_key
from tests.api.conftest import KeyedService

collect_ignore_glob = [] if find_spec("botocore") else ["test_*"]


@pytest.fixture
def operator_key(tmp_path: Path) -> Path:
    """The file with the operator's key."""
    path = tmp_path / "operator.key"
    create_operator_key(path)
    return path


@pytest.fixture
def make_client(make_keyed: Callable[..., KeyedService], operator_key: Path) -> Callable[..., Any]:
    """Make an `AwsClient` with the given scopes and collections. All clients of a test call the same service."""
    from tests.api.rekognition.aws_client import AwsClient

    keyed = make_keyed(rekognition_key_file=str(operator_key))
    return lambda *allowed, **options: AwsClient(keyed, KeyCipher(operator_key), *allowed, **options)


@pytest.fixture
def aws(make_client: Callable[..., Any]) -> Any:
    """A client with every scope."""
    return make_client()
