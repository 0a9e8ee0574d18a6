"""One module an architecture: its original runtime and its export.

Each module offers two functions, and imports its framework at its top:

    export(card, folder)            reads card.files from folder, writes card.exports into it
    original(card, folder, device)  the network in its original runtime, behind the same contract
                                    as the export: the engines "torch" and "tensorflow", and the
                                    reference in the parity tests
"""
