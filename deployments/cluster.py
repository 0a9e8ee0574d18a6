"""Which Ray cluster the service runs on: one of its own, or the one that RAY_ADDRESS names."""

import os
from contextlib import suppress
from pathlib import Path

from deployments.address import addresses
from deployments.errors import StartError

HEAD_TIMEOUT_S = 1.0
"""Time limit of each step of reaching a cluster, in seconds."""

CLUSTER, CLIENT_SERVER = "/ray.rpc.NodeInfoGcsService/GetClusterId", "/ray.rpc.RayletDriver/ClusterInfo"
"""Methods without arguments of a cluster's own address, and of one that begins with ``ray://``."""

ABSENT = ("UNAVAILABLE", "DEADLINE_EXCEEDED", "UNIMPLEMENTED")
"""gRPC codes if nothing answers, or another program. A cluster that requires a token answers with another code."""


def has_own_cluster() -> bool:
    """Whether the service starts a Ray cluster of its own. Sets RAY_ADDRESS so that Ray does the same.

    Raises:
        StartError: RAY_ADDRESS names a cluster that cannot be reached.
    """
    given = os.environ.get("RAY_ADDRESS", "")
    if given in ("", "local"):
        # Serve would otherwise join the cluster that was started last on this machine, even one that has ended.
        os.environ["RAY_ADDRESS"] = "local"
        return True
    if given == "auto":
        # Ray would join any cluster on the machine, so this start could replace another service's application.
        place, problem = _started_last(), "is auto, and no cluster that `ray start` began runs on this machine"
    else:
        place, problem = given, f"is {given!r}, where no Ray cluster answers"
    if not _answers(place):
        raise StartError(f"RAY_ADDRESS {problem}: unset it for a cluster of the service's own")
    if given == "auto":
        os.environ["RAY_ADDRESS"] = place
        # Ray does this only if it finds the cluster by itself.
        if "RAY_AUTH_MODE" not in os.environ and _has_token():
            os.environ["RAY_AUTH_MODE"] = "token"
    return False


def _answers(address: str) -> bool:
    """Whether a cluster answers at HOST:PORT or at ray://HOST:PORT, which may be followed by a path."""
    place = address.removeprefix("ray://").partition("/")[0]
    host, _, port = place.rpartition(":")
    if not (port.isascii() and port.isdigit() and addresses(host.strip("[]"), int(port), HEAD_TIMEOUT_S)):
        return False
    # The import takes a quarter of a second, and most starts do not need it.
    import grpc

    # Proxies in the environment are for the internet, not for a cluster.
    with grpc.insecure_channel(place, options=[("grpc.enable_http_proxy", 0)]) as channel:
        try:
            channel.unary_unary(CLUSTER if place == address else CLIENT_SERVER)(b"", timeout=HEAD_TIMEOUT_S)
        except grpc.RpcError as error:
            # A cluster that uses TLS cannot answer this plain call.
            return error.code().name not in ABSENT or os.environ.get("RAY_USE_TLS", "0") != "0"
    return True


def _started_last() -> str:
    """The address of the cluster that `ray start` began last on this machine; empty if there is none."""
    folder = os.environ.get("RAY_TMPDIR") or os.environ.get("TMPDIR") or "/tmp"  # noqa: S108
    with suppress(OSError):
        return (Path(folder) / "ray" / "ray_current_cluster").read_text("utf-8", "replace").strip()
    return ""


def token_file() -> Path | None:
    """Where Ray keeps the user's token; None for a user without HOME and without an entry in passwd."""
    with suppress(RuntimeError):
        return Path.home() / ".ray" / "auth_token"
    return None


def _has_token() -> bool:
    if os.environ.get("RAY_AUTH_TOKEN") or os.environ.get("RAY_AUTH_TOKEN_PATH"):
        return True
    kept = token_file()
    return kept is not None and os.path.exists(kept)
