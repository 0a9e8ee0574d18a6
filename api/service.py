"""What the routes work with."""

from dataclasses import dataclass

from api.addresses import Addresses
from graphs.settings import LimitArgs, Policy
from graphs.stages import Stages


@dataclass(slots=True)
class Service:
    """The running service, as `request.app.state.service`.

    Attributes:
        policy: replaced while the service runs when the ingress's `user_config` changes; read it
            once a request.
    """

    stages: Stages
    limits: LimitArgs
    policy: Policy
    addresses: Addresses
