"""AWS's own clients, which do not know that they call another service."""

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from access.key_encryption import KeyCipher
from tests.api.conftest import KeyedService
from tests.api.rekognition.aws_client import AwsClient
from tests.app_server import serving
from tests.aws_clients import environment


def installed(client: str) -> Path:
    """The environment of a client."""
    return environment(client) or pytest.skip("run `python -m tests.aws_clients` first")


COLLECTIONS = ("one", "two", "three")


def run(*command: object) -> str:
    """The output of a command that must succeed. It sees no configuration of AWS."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    nowhere = {
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, env={**kept, **nowhere})
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture
def address(make_client: Callable[..., AwsClient]) -> Iterator[tuple[str, str, str]]:
    """The address of a service, and an access key for some of its collections."""
    aws = make_client(collections=COLLECTIONS)
    with serving(aws.keyed.app) as address:
        yield address, aws.credentials.access_key, aws.credentials.secret_key


def test_a_program_with_boto3_indexes_searches_and_handles_exceptions(address: tuple[str, str, str]) -> None:
    run(installed("boto3") / "bin" / "python", "-I", Path(__file__).with_name("boto3_program.py"), *address)


def test_a_program_with_the_javascript_client_indexes_and_searches(address: tuple[str, str, str]) -> None:
    client = installed("javascript") / "node_modules" / "@aws-sdk" / "client-rekognition"
    run("node", Path(__file__).with_name("javascript_program.cjs"), client, *address)


def test_boto3_tries_again_if_there_were_too_many_requests(
    make_keyed: Callable[..., KeyedService], operator_key: Path
) -> None:
    python = installed("boto3") / "bin" / "python"
    keyed = make_keyed(rekognition_key_file=str(operator_key), rate_limit=20, rate_burst=1)
    aws = AwsClient(keyed, KeyCipher(operator_key))
    text = (
        "import boto3, sys; c = boto3.client('rekognition', endpoint_url=sys.argv[1], region_name='x', "
        "aws_access_key_id=sys.argv[2], aws_secret_access_key=sys.argv[3]); "
        "print(sum(c.list_collections()['ResponseMetadata']['RetryAttempts'] for _ in range(5)))"
    )
    with serving(keyed.app) as address:
        out = run(python, "-I", "-c", text, address, aws.credentials.access_key, aws.credentials.secret_key)
    assert int(out) > 0
