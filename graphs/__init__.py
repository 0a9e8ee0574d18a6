"""What a request does: one file a flow, and `app`, which builds the application.

Flows are async functions over stages. They know a stage by the type in `graphs.stages` and nothing
of Ray, HTTP or the networks. `graphs.app` alone sees every room.
"""
