"""Read weights in the file formats of PyTorch, Keras and joblib, without these packages.

Nothing in a file is executed: pickles are read opcode by opcode, and may only use the names that arrays need.
"""
