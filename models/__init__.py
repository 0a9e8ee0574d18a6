"""Networks: the catalogue, fetching and exporting weights, engines, pre- and post-processing.

Never imports Ray or HTTP frameworks. One framework a process: modules that import torch or
TensorFlow do so at their top and are themselves imported only by the process that wants them.
"""
