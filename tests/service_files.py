"""The files of the session's service, with which it can be restarted."""

import os
from contextlib import AbstractContextManager
from pathlib import Path

import yaml

from models.store import DEFAULT_STORE
from tests.default_configuration import CONFIG
from tests.live_service import LiveService, served

PLACES = 16
"""The service's MAX_REQUESTS."""
TIMEOUT_S = 20
"""The service's REQUEST_TIMEOUT: longer than a replica needs to start."""


class ServiceFiles:
    """Paths of the service's configuration, logs, keys, gallery and models. The models are links to the real ones.

    Args:
        folder: the folder of all files.
        collector: the address for traces.

    Attributes:
        log: the output of the service.
        logs: the folder of the replicas' logs, with one line per call of a stage.
        cards: the folder of further model cards, empty at first.
    """

    def __init__(self, folder: Path, collector: str) -> None:
        self.folder, self._collector = folder, collector
        self.config, self.keys, self.log = folder / "serve.yaml", folder / "keys.json", folder / "log"
        self.logs, self.gallery = folder / "logs", folder / "gallery"
        self.cards, self.models = folder / "cards", folder / "models"

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
            "OTEL_EXPORTER_OTLP_ENDPOINT": self._collector,
            "OTEL_BSP_SCHEDULE_DELAY": "200",
            "RAY_metrics_report_interval_ms": "1000",
        }
        return served(str(self.config), self.log, **variables)
