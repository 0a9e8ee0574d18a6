"""The benchmark of the networks on a GPU, without a service: see `__main__`."""
