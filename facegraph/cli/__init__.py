"""The command `facegraph`."""
