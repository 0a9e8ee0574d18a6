"""A soak: see `__main__`."""
