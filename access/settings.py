"""Access settings: keys, the audit log and request rates."""

from pathlib import Path

from pydantic import Field, field_validator

from project.environment import EnvironmentSettings
from project.root import ROOT

KEYS_FILE = Path("data/keys.json")


class AccessArgs(EnvironmentSettings):
    """API keys, the audit log and request rates."""

    require_keys: bool = Field(
        False, description="Whether requests need an API key. An invalid key is always rejected."
    )
    keys_file: Path = Field(
        KEYS_FILE,
        description="The key file, relative to the project; needed on each node with an ingress replica.",
    )
    audit_log: str = Field("data/audit.jsonl", description="The log file, relative to the project; empty for no log.")
    rate_limit: float = Field(
        0,
        ge=0,
        allow_inf_nan=False,
        description="Requests per second and ingress replica, per key, or per IP address without one; 0 for no limit.",
    )
    rate_burst: int = Field(20, gt=0, description="Requests that may exceed the rate in one burst.")
    forwarded_hops: int = Field(
        0,
        ge=0,
        description="Proxies before the ingress that append to X-Forwarded-For, including HAProxy of `make run`. The "
        "caller's address is that many entries from the end; with fewer entries, the connection's own.",
    )

    @field_validator("keys_file")
    @classmethod
    def _file_below_the_project(cls, path: Path) -> Path:
        # An empty variable means the default, as in `facegraph keys`.
        return ROOT / (KEYS_FILE if path == Path() else path)

    @field_validator("audit_log")
    @classmethod
    def _log_below_the_project(cls, text: str) -> str:
        return text and str(ROOT / text)
