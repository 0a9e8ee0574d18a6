"""What the routes work with."""

from dataclasses import dataclass, field
from functools import partial

from api.addresses import Addresses
from graphs.calls import CallWindow
from graphs.observed import Exposition, Observe, unobserved
from graphs.settings import AccessArgs, LimitArgs, Policy
from graphs.stages import Stages
from graphs.status import Status


@dataclass(slots=True)
class Service:
    """The running service. Each request has a shallow copy of its own, as `request.state.service`.

    Attributes:
        policy: replaced when the ingress's `user_config` changes; running requests keep the one that they began with.
        status: tells how the stages are.
        exposition: gives the metrics.
        requests: those that are worked on and those that ended lately.
        observe: is told of each that has been answered.
        access: who may call; unless given, the environment's settings without an audit log.
        default_detector: role of the detector that a request to /v1 gets unless it names another.
    """

    stages: Stages
    limits: LimitArgs
    policy: Policy
    addresses: Addresses
    status: Status
    exposition: Exposition
    requests: CallWindow = field(default_factory=CallWindow)
    observe: Observe = unobserved
    access: AccessArgs = field(default_factory=partial(AccessArgs, audit_log=""))
    default_detector: str = "mtcnn"
