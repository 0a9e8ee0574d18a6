"""Request flows, one file each, and `app`, which builds the application.

Flows are async functions over the `Stage` protocol of `graphs.stages`. They do not depend on Ray, HTTP or the
networks. Only `graphs.app` imports from every package.
"""
