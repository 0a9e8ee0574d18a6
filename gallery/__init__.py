"""The gallery: enrolled faces, stored in LanceDB.

`writing` makes all changes; a gallery has one writer at a time. `reading` lists faces and, with `search`, finds them;
there may be many readers. Both use `storage`, the tables and their files. `transfer` copies whole collections.
`operations` declares what a reader and the writer do. The package imports neither Ray, an HTTP framework nor a model.
"""
