"""What the routes work with."""

from dataclasses import dataclass, field
from functools import partial

from api.addresses import Addresses
from graphs.settings import AccessArgs, LimitArgs, Policy
from graphs.stages import Stages


@dataclass(slots=True)
class Service:
    """The running service, as `request.app.state.service`.

    Attributes:
        policy: replaced while the service runs when the ingress's `user_config` changes; read it
            once a request.
        access: who may call; unless given, the environment's settings without an audit log.
    """

    stages: Stages
    limits: LimitArgs
    policy: Policy
    addresses: Addresses
    access: AccessArgs = field(default_factory=partial(AccessArgs, audit_log=""))
