"""Load on the service over HTTP, sent by Locust, and what it measures: docs/load_testing.md."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "data" / "bench"
CONFIG = ROOT / "configs" / "serve.yaml"
