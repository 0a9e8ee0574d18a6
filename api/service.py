"""What the routes work with."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial

from access.settings import AccessArgs
from api.addresses import Addresses
from api.settings import LimitArgs
from graphs.policy import Policy
from graphs.stages import Stages
from telemetry.answered_request import Observe, unobserved
from telemetry.call_window import CallWindow
from telemetry.status import Status


@dataclass(slots=True)
class Service:
    """The running service. Each request has a shallow copy of its own, as `request.state.service`.

    Attributes:
        policy: replaced when the ingress's `user_config` changes; running requests keep the one that they began with.
        status: tells how the stages are.
        exposition: gives the metrics of the whole cluster in Prometheus's text format.
        requests: those that are worked on and those that ended lately.
        observe: is told of each that has been answered.
        access: who may call; unless given, the environment's settings without an audit log.
    """

    stages: Stages
    limits: LimitArgs
    policy: Policy
    addresses: Addresses
    status: Status
    exposition: Callable[[], Awaitable[str]]
    requests: CallWindow = field(default_factory=CallWindow)
    observe: Observe = unobserved
    access: AccessArgs = field(default_factory=partial(AccessArgs, audit_log=""))
