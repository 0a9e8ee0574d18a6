"""The gallery: enrolled faces, stored in LanceDB.

`writer` makes all changes, and a gallery has one writer at a time. `reader` searches and lists; there may be many
readers. `operations` defines the protocols of both. The package imports neither Ray nor an HTTP framework nor a model.
"""
