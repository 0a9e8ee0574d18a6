"""Read and write thresholds in a Serve configuration."""

import io
import shutil
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic_settings import SettingsError
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap
from ruamel.yaml.error import YAMLError

from graphs.flow_settings import FlowSettings
from models.card import Card
from models.catalogue import card
from models.errors import ModelError
from models.sources import problems
from models.tasks import DETECTOR
from project.files import atomic


class Configuration:
    """A Serve configuration, such as configs/serve.yaml.

    Raises:
        ModelError: the file cannot be read, or does not have exactly one application with stages and an ingress.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        try:
            self._text = file.read_text("utf-8")
            self._document: Any = _yaml().load(self._text)
            [application] = (each for each in self._document["applications"] if "stages" in each["args"])
            [self._ingress] = (each for each in application["deployments"] if each["name"] == "ingress")
            self._args = application["args"]
        except (OSError, UnicodeDecodeError, YAMLError) as error:
            raise ModelError(f"the configuration {file} cannot be read: {error}") from error
        except (KeyError, TypeError, ValueError) as error:
            raise ModelError(f"{file} does not have exactly one application with stages and an ingress") from error

    def model(self, role: str) -> str | None:
        """Return the name of the card assigned to a role. None if there is no such role."""
        stages = self._args["stages"]
        return str(stages[role]["model"]) if role in stages else None

    def default(self, task: str) -> Card | None:
        """Return the card of the default role for `task` under /v1, or None if no stage has this task.

        Raises:
            ModelError: the configured role is not a stage for the task.
        """
        cards = {str(role): card(stage["model"]) for role, stage in self._args["stages"].items()}
        roles = [role for role, entry in cards.items() if entry.task == task]
        role = self._args.get("defaults", {}).get(task, next(iter(roles), None))
        if role is not None and role not in roles:
            raise ModelError(f"{self._file} has no {task} called {role}")
        return cards[role] if role is not None else None

    @property
    def detector(self) -> Card:
        """The card of the default detector under /v1.

        Raises:
            ModelError: there is no such detector.
        """
        if (found := self.default(DETECTOR)) is None:
            raise ModelError(f"{self._file} has no detector")
        return found

    @property
    def settings(self) -> FlowSettings:
        """The settings in the file.

        Raises:
            ModelError: the settings are not valid.
        """
        try:
            return FlowSettings.model_validate(self._ingress.get("user_config") or {})
        except (ValidationError, SettingsError) as error:
            said = problems(error) if isinstance(error, ValidationError) else error
            raise ModelError(f"the user_config of the ingress in {self._file} is not valid: {said}") from error

    def thresholds(self, entry: Card) -> dict[str, float]:
        """Return the configured thresholds of an embedder or a liveness model, by role."""
        settings, roles = self._ingress.get("user_config") or {}, self._roles(entry)
        if entry.task == "embedder":
            configured = settings.get("thresholds") or {}
        else:
            configured = dict.fromkeys(roles, settings.get("liveness_threshold"))
        return {role: float(configured[role]) for role in roles if configured.get(role) is not None}

    def check(self, entry: Card) -> None:
        """Raise the `ModelError` that `write` would raise, without writing."""
        if not self._roles(entry):
            raise ModelError(f"{self._file} has no stage with {entry.name}, so no threshold can be written")
        if self._dumped() != self._text:
            raise ModelError(f"the layout of {self._file} cannot be preserved: write the threshold by hand")

    def write(self, entry: Card, threshold: float) -> list[str]:
        """Set the threshold of every role that a card is assigned to. The rest of the file does not change.

        Args:
            entry: card of an embedder or a liveness model.

        Returns:
            The roles.

        Raises:
            ModelError: the card has no role, or the file's layout cannot be preserved.
        """
        self.check(entry)
        roles = self._roles(entry)
        if not self._ingress.get("user_config"):
            self._ingress["user_config"] = CommentedMap()
            self._ingress["user_config"].fa.set_flow_style()
        settings = self._ingress["user_config"]
        if entry.task == "embedder":
            settings.setdefault("thresholds", {}).update(dict.fromkeys(roles, threshold))
        else:
            settings["liveness_threshold"] = threshold
        with atomic(self._file) as path:
            path.write_text(self._dumped(), "utf-8")
            shutil.copymode(self._file, path)
        return roles

    def _roles(self, entry: Card) -> list[str]:
        return [str(role) for role, stage in self._args["stages"].items() if stage["model"] == entry.name]

    def _dumped(self) -> str:
        text = io.StringIO()
        _yaml().dump(self._document, text)
        return text.getvalue()


def _yaml() -> YAML:
    """Return a round-trip parser that keeps comments, quotes and the layout of this project's configurations."""
    yaml = YAML()
    yaml.preserve_quotes = True
    yaml.width = 4096
    yaml.indent(mapping=2, sequence=4, offset=2)
    return yaml
