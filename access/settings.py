"""Settings of access: keys, the audit log and request rates."""

from pathlib import Path

from pydantic import Field, field_validator

from project.environment import EnvironmentSettings
from project.root import ROOT

KEYS_FILE = Path("data/keys.json")


class AccessArgs(EnvironmentSettings):
    """Who may call, how often, and where it is noted."""

    require_keys: bool = Field(
        False, description="Whether a request needs an API key; a wrong key is refused either way."
    )
    keys_file: Path = Field(
        KEYS_FILE,
        description="What `facegraph keys` writes; below the project unless absolute, on each node with an ingress.",
    )
    audit_log: str = Field(
        "data/audit.jsonl", description="A file, below the project unless absolute; empty for no log."
    )
    rate_limit: float = Field(
        0,
        ge=0,
        allow_inf_nan=False,
        description="Requests a second that a key, or an address without one, may ask a replica of the ingress; 0 for "
        "any number.",
    )
    rate_burst: int = Field(20, gt=0, description="Requests that it may ask at once after a pause.")
    forwarded_hops: int = Field(
        0,
        ge=0,
        description="Proxies before the ingress that append to X-Forwarded-For, HAProxy of `make run` among them: the "
        "caller's address is that many entries from its end, and the connection's own where there are fewer.",
    )

    @field_validator("keys_file")
    @classmethod
    def _file_below_the_project(cls, path: Path) -> Path:
        # An empty variable is the default, as it is for `facegraph keys`.
        return ROOT / (KEYS_FILE if path == Path() else path)

    @field_validator("audit_log")
    @classmethod
    def _log_below_the_project(cls, text: str) -> str:
        return text and str(ROOT / text)
