"""Detectors: from the raw outputs of a network to faces."""
