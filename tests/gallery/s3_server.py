"""An S3 server, SeaweedFS, with one bucket."""

import os
import subprocess
import sysconfig
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from pyarrow import fs

from deployments.address import reserved_port

BUCKET = "galleries"
ACCESS_KEY, SECRET_KEY, REGION = "key", "secret", "us-east-1"
START_TIMEOUT_S = 60


@dataclass(frozen=True)
class S3Server:
    """A running server: its port on this machine and its process."""

    port: int
    pid: int

    @property
    def storage_options(self) -> Mapping[str, str]:
        """LanceDB's options for the bucket."""
        keys = {"access_key_id": ACCESS_KEY, "secret_access_key": SECRET_KEY, "region": REGION}
        return {"endpoint": f"http://127.0.0.1:{self.port}", "allow_http": "true", **keys}

    @property
    def files(self) -> fs.FileSystem:
        """The objects, as files below the bucket."""
        return fs.S3FileSystem(
            access_key=ACCESS_KEY,
            secret_key=SECRET_KEY,
            region=REGION,
            scheme="http",
            endpoint_override=f"127.0.0.1:{self.port}",
            allow_bucket_creation=True,
        )


@contextmanager
def s3_server(folder: Path) -> Iterator[S3Server]:
    """Run the server until the block ends, with its data in an empty folder."""
    command = [
        f"{sysconfig.get_path('scripts')}/weed",
        "server",
        f"-dir={folder}",
        "-s3",
        "-ip=127.0.0.1",
        "-ip.bind=127.0.0.1",
    ]
    command += ["-master.telemetry=false", "-volume.max=0", "-s3.port.iceberg=0", "-s3.port.lance=0"]
    with ExitStack() as held:
        names = [f"{part}.port{kind}" for part in ("master", "volume", "filer", "s3") for kind in ("", ".grpc")]
        ports = {name: held.enter_context(reserved_port("127.0.0.1")) for name in names}
        command += [f"-{name}={port}" for name, port in ports.items()]
        keys = {"AWS_ACCESS_KEY_ID": ACCESS_KEY, "AWS_SECRET_ACCESS_KEY": SECRET_KEY}
        log = held.enter_context((folder / "log").open("wb"))
        process = held.enter_context(
            subprocess.Popen(command, env=os.environ | keys, cwd=folder, stdout=log, stderr=log)
        )
        held.callback(_remove_sockets, ports.values())
        # Its own shutdown takes seconds.
        held.callback(process.kill)
        server, last = S3Server(ports["s3.port"], process.pid), time.monotonic() + START_TIMEOUT_S
        while True:
            with suppress(OSError):
                server.files.create_dir(BUCKET)
                # The first writes fail until its parts have found each other.
                with server.files.open_output_stream(f"{BUCKET}/ready") as file:
                    file.write(b"x")
                break
            if process.poll() is not None or time.monotonic() > last:
                raise RuntimeError((folder / "log").read_text("utf-8"))
            time.sleep(0.1)
        yield server


def _remove_sockets(ports: Iterable[int]) -> None:
    for port in ports:
        for path in Path(tempfile.gettempdir()).glob(f"seaweedfs-*-{port}.sock"):
            path.unlink()
