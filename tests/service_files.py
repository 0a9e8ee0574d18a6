"""The files of the session's service, with which it can be restarted."""

import os
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

import yaml

from models.store import DEFAULT_STORE
from tests.default_configuration import CONFIG
from tests.live_service import LiveService, served

PLACES = 16
"""The service's MAX_REQUESTS."""
TIMEOUT_S = 20
"""The service's REQUEST_TIMEOUT: longer than a replica needs to start."""


@dataclass(frozen=True)
class ServiceFiles:
    """Paths of the service's configuration, logs, keys, gallery and models. The models are links to the real ones.

    Attributes:
        folder: the folder of all files.
        collector: the address for traces.
    """

    folder: Path
    collector: str

    @property
    def config(self) -> Path:
        return self.folder / "serve.yaml"

    @property
    def log(self) -> Path:
        return self.folder / "log"

    @property
    def logs(self) -> Path:
        """The folder of the replicas' logs, with one line per call of a stage."""
        return self.folder / "logs"

    @property
    def keys(self) -> Path:
        return self.folder / "keys.json"

    @property
    def gallery(self) -> Path:
        return self.folder / "gallery"

    @property
    def cards(self) -> Path:
        """The folder of further model cards, empty at first."""
        return self.folder / "cards"

    @property
    def models(self) -> Path:
        return self.folder / "models"

    def write(self) -> None:
        """Write the default configuration, with a log line per call of a stage, and link the models."""
        self.cards.mkdir()
        config = yaml.safe_load(CONFIG.read_text("utf-8"))
        [application] = config["applications"]
        application["args"]["models_dir"] = str(self.models)
        application["logging_config"] |= {"enable_access_log": True, "logs_dir": str(self.logs)}
        self.config.write_text(yaml.safe_dump(config, sort_keys=False), "utf-8")
        for path in DEFAULT_STORE.rglob("*"):
            if path.is_file():
                link = self.models / path.relative_to(DEFAULT_STORE)
                link.parent.mkdir(parents=True, exist_ok=True)
                os.link(path, link)

    def start(self) -> AbstractContextManager[LiveService]:
        """Start the service. It may fetch photos from loopback, where tests serve them."""
        variables = {
            "GALLERY_URI": str(self.gallery),
            "KEYS_FILE": str(self.keys),
            "MODEL_CARDS": str(self.cards),
            "FETCH_ALLOWED_NETWORKS": "127.0.0.1/32",
            "REQUEST_TIMEOUT": str(TIMEOUT_S),
            "MAX_REQUESTS": str(PLACES),
            "OTEL_EXPORTER_OTLP_ENDPOINT": self.collector,
            "OTEL_BSP_SCHEDULE_DELAY": "200",
            "RAY_metrics_report_interval_ms": "1000",
        }
        return served(str(self.config), self.log, **variables)
