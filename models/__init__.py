"""Networks: the catalogue, fetching and exporting weights, engines, pre- and post-processing.

This package never imports Ray or an HTTP framework. Only `models.originals` imports PyTorch and TensorFlow. A process
imports one of its modules only to run a network in its original runtime.
"""
