"""The gallery: enrolled faces in LanceDB, behind a small interface. Knows neither Ray nor HTTP nor the networks.

`writer` is the only place that changes anything, and there is one of it; `reader` searches and lists,
and there may be many.
"""
