"""The HTTP contracts of the services that this one replaces, one file each.

Each gives a `router`, the first parts of its `PATHS`, and `error_answer`, which puts an error there into the
contract's own form.
"""
