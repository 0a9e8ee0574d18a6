"""A load in steps, and the replicas that follow it: see `__main__`."""
