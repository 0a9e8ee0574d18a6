"""What requests did, recorded while they run and reported to people and machines.

`request_record`, `call_window` and `status` know neither Ray nor HTTP. `metrics`, `exposition`,
`request_log` and `tracing` report through Ray Serve.
"""
