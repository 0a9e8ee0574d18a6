"""The autoscaling policy's last decisions, passed from Serve's controller to the ingress by Ray's key-value store."""

import asyncio
import json
import logging
import time
from collections.abc import Mapping

from ray.exceptions import RayError
from ray.experimental.internal_kv import _internal_kv_get, _internal_kv_put

from telemetry.status import Autoscaling

logger = logging.getLogger("ray.serve")

NAMESPACE = "facegraph-autoscaling"
MAX_AGE_S = 30.0
"""Age in seconds above which decisions are ignored: the application no longer has the policy that made them."""


def publish(application: str, decisions: Mapping[str, tuple[int, str]]) -> None:
    """Replace the application's decisions: the number of replicas and the reason, by deployment."""
    _internal_kv_put(application, json.dumps([time.time(), decisions]), namespace=NAMESPACE)


async def published(application: str) -> dict[str, Autoscaling]:
    """Return the application's last decisions by deployment.

    There are none if Serve's default policy decides, or if Ray's head node does not respond.
    """
    try:
        stored = await asyncio.to_thread(_internal_kv_get, application, namespace=NAMESPACE)
    except RayError as error:
        logger.warning("the decisions of the autoscaling policy cannot be read: %r", error)
        return {}
    at, decisions = json.loads(stored or "[0, {}]")
    if time.time() - at > MAX_AGE_S:
        return {}
    return {name: Autoscaling(replicas, reason) for name, (replicas, reason) in decisions.items()}
