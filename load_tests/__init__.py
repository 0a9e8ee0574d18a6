"""Load on the service over HTTP, sent by Locust, and what it measures: docs/load_testing.md."""
