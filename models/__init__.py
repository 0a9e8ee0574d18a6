"""Networks: the catalogue, fetching and exporting weights, engines, pre- and post-processing.

This package never imports Ray or an HTTP framework. PyTorch and TensorFlow are never loaded into the same process:
a module that needs one imports it at the top, and only a process that needs the module imports it.
"""
