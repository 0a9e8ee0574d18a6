"""What requests did, recorded while they run and reported to people and machines.

`timing`, `call_window`, `answered_request` and `status` know neither Ray nor HTTP. `metrics`, `exposition`,
`request_log` and `tracing` report through Ray Serve.
"""
