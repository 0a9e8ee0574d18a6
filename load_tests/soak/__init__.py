"""The soak test: see `__main__`."""
