"""The stages, settings and telemetry that routes use."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Annotated

from fastapi import Depends, Request

from access.keys import Key
from access.settings import AccessArgs
from api.photo_downloads import PhotoDownloads
from api.settings import LimitArgs
from graphs.flow_settings import FlowSettings
from graphs.stages import Stages
from telemetry.call_window import CallWindow
from telemetry.request_record import Observe, unobserved
from telemetry.status import Status


@dataclass(slots=True)
class Service:
    """The running service. Each request has its own shallow copy in `request.state.service`.

    Attributes:
        settings: replaced when the ingress's `user_config` changes. Running requests keep the old ones.
        status: returns the state of each stage.
        exposition: returns the metrics of the whole cluster in Prometheus's text format.
        requests: the current and recent requests of this replica.
        observe: called with each completed request.
        access: settings of keys, audit log and rates; by default those of the environment, but without an audit log.
    """

    stages: Stages
    limits: LimitArgs
    settings: FlowSettings
    downloads: PhotoDownloads
    status: Status
    exposition: Callable[[], Awaitable[str]]
    requests: CallWindow = field(default_factory=CallWindow)
    observe: Observe = unobserved
    access: AccessArgs = field(default_factory=partial(AccessArgs, audit_log=""))


async def _service(request: Request) -> Service:
    service: Service = request.state.service
    return service


async def _key(request: Request) -> Key | None:
    key: Key | None = request.state.key
    return key


CurrentService = Annotated[Service, Depends(_service)]
"""The service that handles a request."""
CurrentKey = Annotated[Key | None, Depends(_key)]
"""The caller's key; None without one."""
