"""The clients of the service as Locust user classes."""
