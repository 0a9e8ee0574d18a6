"""Networks: the catalogue, fetching and exporting weights, engines, pre- and post-processing.

This package never imports Ray or an HTTP framework. Only `models.originals` imports PyTorch and TensorFlow. A process
imports a module of it only if it runs that network in its original runtime.
"""
