"""Measure embedders, liveness networks and detectors on labelled photos: metrics, plots and reports."""
