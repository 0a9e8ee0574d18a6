"""The HTTP contracts of the services that this one replaces, one file each.

Each gives a `router` and `error_answer`, which puts an error into the contract's own form.
"""
