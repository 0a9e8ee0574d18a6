"""Measures embedders, liveness models and detectors on labelled photos: metrics, plots and reports."""
