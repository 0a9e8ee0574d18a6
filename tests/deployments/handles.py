"""Handles of deployments whose replicas are objects of the test."""

from types import SimpleNamespace
from typing import Any


class Handle:
    """A deployment's handle: each method of `replica` is called by its ``remote``."""

    def __init__(self, replica: Any, deployment_name: str = "deployment") -> None:
        self._replica = replica
        self.deployment_name = deployment_name

    def __getattr__(self, method: str) -> Any:
        return SimpleNamespace(remote=getattr(self._replica, method))


def handle(replica: Any, deployment_name: str = "deployment") -> Any:
    return Handle(replica, deployment_name)
