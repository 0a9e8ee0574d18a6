"""Checks of a machine and of a configuration, one per function, each with a command that helps."""
