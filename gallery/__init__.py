"""The gallery: enrolled faces, stored in LanceDB.

`writing` makes all changes, and a gallery has one writer at a time. `reading` searches and lists, with `search`; there
may be many readers. `storage` is what both read and write, and `transfer` copies whole collections. `operations`
declares what a reader and the writer do. The package imports neither Ray nor an HTTP framework nor a model.
"""
