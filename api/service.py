"""What the routes work with."""

from dataclasses import dataclass, field
from functools import partial

from api.addresses import Addresses
from graphs.calls import CallWindow
from graphs.settings import AccessArgs, LimitArgs, Policy
from graphs.stages import Stages
from graphs.status import Status


@dataclass(slots=True)
class Service:
    """The running service, as `request.app.state.service`.

    Attributes:
        policy: replaced while the service runs when the ingress's `user_config` changes; read it
            once a request.
        status: tells how the stages are.
        requests: those that are worked on and those that ended lately.
        access: who may call; unless given, the environment's settings without an audit log.
    """

    stages: Stages
    limits: LimitArgs
    policy: Policy
    addresses: Addresses
    status: Status
    requests: CallWindow = field(default_factory=CallWindow)
    access: AccessArgs = field(default_factory=partial(AccessArgs, audit_log=""))
