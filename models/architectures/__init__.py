"""One module per architecture: its export and its original runtime.

Each module has two functions:

    export(card, folder)            reads card.files from folder and writes card.exports into it
    original(card, folder, device)  returns the network in its original runtime, with the inputs and outputs of the
                                    export: for the engines "torch" and "tensorflow", and as the reference of the
                                    parity tests
"""
