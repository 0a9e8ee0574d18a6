"""The base class of settings that an environment variable can set."""

from pydantic_settings import BaseSettings, SettingsConfigDict


class EnvironmentSettings(BaseSettings):
    """Settings that take the configuration file's value first, then the environment variable, then the default.

    Unknown keys are refused.
    """

    # Serve logs the exceptions of its builder: an error names the setting, never its value, which may be a secret.
    model_config = SettingsConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)
