"""AWS's own clients for the tests of the Rekognition API, each in an environment of its own.

`python -m tests.aws_clients` installs them; the JavaScript client only if Node.js is installed. They are not part of
this project.
"""

import shutil
import subprocess
import sys
from pathlib import Path

from tests.photos import FOLDER as PHOTOS

FOLDER = PHOTOS.with_name("clients")
BOTO3 = "boto3==1.44.8"
JAVASCRIPT = "@aws-sdk/client-rekognition@3.1142.0"


def environment(client: str) -> Path | None:
    """The folder with ``boto3`` or ``javascript``; None if it is not installed."""
    folder = FOLDER / client
    return folder if (folder / "complete").exists() else None


def install(client: str, requirement: str, npm: str | None = None) -> None:
    """Install a Python package, or one for JavaScript by `npm`, unless this version of it is there.

    Raises:
        CalledProcessError: it cannot be installed.
    """
    folder = FOLDER / client
    done = folder / "complete"
    if done.exists() and done.read_text("utf-8") == requirement:
        return
    print(f"installing {requirement}", flush=True)
    shutil.rmtree(folder, ignore_errors=True)
    command: list[str | Path]
    if npm:
        command = [npm, "install", "--silent", "--no-audit", "--no-fund", "--prefix", folder]
    else:
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        command = [folder / "bin" / "python", "-m", "pip", "install", "--disable-pip-version-check", "--quiet"]
    subprocess.run([*command, requirement], check=True)
    done.write_text(requirement, "utf-8")


def main() -> None:
    """Install the clients."""
    install("boto3", BOTO3)
    if (npm := shutil.which("npm")) and shutil.which("node"):
        install("javascript", JAVASCRIPT, npm)
    else:
        print("none  the test of AWS's JavaScript client is skipped: install Node.js")


if __name__ == "__main__":
    main()
