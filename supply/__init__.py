"""Licences of installed packages and models. The service does not import this package."""
