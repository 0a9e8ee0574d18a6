"""The packages that an environment installs, and the licences of packages and models.

The service does not import this package.
"""
