"""The benchmark of this service, its bare pipeline and a plain service: see `__main__`."""
