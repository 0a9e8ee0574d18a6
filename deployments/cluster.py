"""Which Ray cluster the service runs on: its own, or the one named by RAY_ADDRESS."""

import os
from contextlib import suppress
from pathlib import Path

from deployments.address import addresses, is_port
from deployments.errors import StartError

HEAD_TIMEOUT_S = 1.0
"""Timeout of each step of connecting to a cluster, in seconds."""

CLUSTER, CLIENT_SERVER = "/ray.rpc.NodeInfoGcsService/GetClusterId", "/ray.rpc.RayletDriver/ClusterInfo"
"""gRPC methods that show whether a cluster responds at a HOST:PORT or ``ray://`` address; they take no arguments."""

ABSENT = ("UNAVAILABLE", "DEADLINE_EXCEEDED", "UNIMPLEMENTED")
"""gRPC codes that mean no response, or a response from a program other than Ray.

A cluster that requires a token returns a different code.
"""


def has_own_cluster() -> bool:
    """Return whether the service starts its own Ray cluster, and set RAY_ADDRESS so that Ray uses the same cluster.

    Raises:
        StartError: RAY_ADDRESS names a cluster that cannot be reached.
    """
    given = os.environ.get("RAY_ADDRESS", "")
    if given in ("", "local"):
        # Serve would otherwise try to join the cluster last started on this machine, even if that has stopped.
        os.environ["RAY_ADDRESS"] = "local"
        return True
    if given == "auto":
        # Ray would join any cluster on the machine, so this run could replace another service's application.
        place, problem = _started_last(), "is auto, but no cluster started with `ray start` runs on this machine"
    else:
        place, problem = given, f"is {given!r}, but no Ray cluster responds there"
    if not _answers(place):
        raise StartError(f"RAY_ADDRESS {problem}: unset it to start a separate cluster")
    if given == "auto":
        os.environ["RAY_ADDRESS"] = place
        # Ray does this only if it finds the cluster by itself.
        if "RAY_AUTH_MODE" not in os.environ and _has_token():
            os.environ["RAY_AUTH_MODE"] = "token"
    return False


def _answers(address: str) -> bool:
    """Whether a cluster responds at HOST:PORT or at ray://HOST:PORT, which may be followed by a path."""
    place = address.removeprefix("ray://").partition("/")[0]
    host, _, port = place.rpartition(":")
    if not (is_port(port) and addresses(host.strip("[]"), int(port), HEAD_TIMEOUT_S)):
        return False
    # The import takes a quarter of a second, and is rarely needed.
    import grpc

    # Proxies in the environment are for the internet, not for a cluster.
    with grpc.insecure_channel(place, options=[("grpc.enable_http_proxy", 0)]) as channel:
        try:
            channel.unary_unary(CLUSTER if place == address else CLIENT_SERVER)(b"", timeout=HEAD_TIMEOUT_S)
        except grpc.RpcError as error:
            # A cluster that uses TLS cannot respond to this plain call.
            return error.code().name not in ABSENT or os.environ.get("RAY_USE_TLS", "0") != "0"
    return True


def _started_last() -> str:
    """Return the address of the cluster last started with `ray start` on this machine; empty if there is none."""
    folder = os.environ.get("RAY_TMPDIR") or os.environ.get("TMPDIR") or "/tmp"  # noqa: S108
    with suppress(OSError):
        return (Path(folder) / "ray" / "ray_current_cluster").read_text("utf-8", "replace").strip()
    return ""


def token_file() -> Path | None:
    """Return where Ray keeps the user's token; None for a user without HOME and without an entry in passwd."""
    with suppress(RuntimeError):
        return Path.home() / ".ray" / "auth_token"
    return None


def _has_token() -> bool:
    if os.environ.get("RAY_AUTH_TOKEN") or os.environ.get("RAY_AUTH_TOKEN_PATH"):
        return True
    kept = token_file()
    return kept is not None and os.path.exists(kept)
