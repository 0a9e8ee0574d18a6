"""Search in one table of faces: exact, with a mirror of its embeddings, or with LanceDB's index."""
