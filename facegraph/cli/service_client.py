"""The client that CLI commands use to call a running service."""

from collections.abc import Iterator
from contextlib import contextmanager

from facegraph.cli.output import CommandError, command_errors
from facegraph.client import Client, FacegraphError, NoAnswerError
from facegraph.client.clients import DEADLINE_S, RETRIES


@contextmanager
def service_client(
    url: str, api_key: str | None, retries: int = RETRIES, deadline: float = DEADLINE_S
) -> Iterator[Client]:
    """Yield a client. Its errors are raised as `CommandError`."""
    with command_errors(ValueError):
        client = Client(url, api_key, retries=retries, deadline=deadline)
    with client, service_errors():
        yield client


@contextmanager
def service_errors() -> Iterator[None]:
    """Turn the client's exceptions into `CommandError`."""
    try:
        yield
    except NoAnswerError as error:
        raise CommandError(f"{error}; is the service running? Start it with `facegraph serve`") from error
    except FacegraphError as error:
        raise CommandError(str(error)) from error
