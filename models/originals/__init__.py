"""The original runtimes of networks: for the engines "torch" and "tensorflow", and as references of the parity tests.

There is one module per architecture, with a function ``original(card, folder, device)``, which returns the network in
its original runtime, with the inputs and outputs of the export. Only these modules import PyTorch and TensorFlow, which
are extras of the package.
"""
