"""Access settings: keys, the audit log and request rates."""

from importlib.util import find_spec
from pathlib import Path

from pydantic import Field, field_validator

from project.environment import EnvironmentSettings
from project.root import ROOT

KEYS_FILE = Path("data/keys.json")
AWS_PACKAGES = ("botocore", "cryptography")
"""Packages of the extra `aws`."""


class AccessArgs(EnvironmentSettings):
    """API keys, the audit log and request rates."""

    require_keys: bool = Field(
        False, description="Whether requests need an API key. An invalid key is always rejected."
    )
    keys_file: Path = Field(
        KEYS_FILE,
        description="File of the API keys, relative to the project; needed on each node with an ingress replica.",
    )
    rekognition_key_file: str = Field(
        "",
        description="File of the operator's key, relative to the project; needed on each node with an ingress replica. "
        "The operator's key encrypts the keys of AWS clients. Empty: the Rekognition API is off.",
    )
    audit_log: str = Field(
        "data/audit.jsonl", description="File of the audit log, relative to the project; empty for no log."
    )
    rate_limit: float = Field(
        0,
        ge=0,
        allow_inf_nan=False,
        description="Maximum number of requests per second with the same key, or from the same IP address without a "
        "valid key; 0 for no limit. Each ingress replica counts separately.",
    )
    rate_burst: int = Field(20, gt=0, description="Maximum number of requests in a burst.")
    forwarded_hops: int = Field(
        0,
        ge=0,
        description="Number of trusted proxies that append to X-Forwarded-For, including HAProxy; make run sets 1. "
        "The caller's address is the entry at that position, counted from the end of the header. If there are fewer "
        "entries, it is the address of the connection.",
    )

    @field_validator("keys_file")
    @classmethod
    def _file_below_the_project(cls, path: Path) -> Path:
        # An empty variable means the default, as in `facegraph keys`.
        return ROOT / (KEYS_FILE if path == Path() else path)

    @field_validator("rekognition_key_file")
    @classmethod
    def _rekognition_has_its_packages(cls, text: str) -> str:
        if text and (missing := [name for name in AWS_PACKAGES if find_spec(name) is None]):
            raise ValueError(f"a package is not installed ({', '.join(missing)}): run `make install EXTRAS=aws`")
        return text and str(ROOT / text)

    @field_validator("audit_log")
    @classmethod
    def _log_below_the_project(cls, text: str) -> str:
        return text and str(ROOT / text)
