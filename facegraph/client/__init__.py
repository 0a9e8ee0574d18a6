"""A client of the service's /v1."""
