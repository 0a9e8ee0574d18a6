"""Read weights from the formats that others publish them in, without their frameworks.

Nothing in a file is executed: pickles are read opcode by opcode, and may name only what arrays need.
"""
