# What the configuration of HAProxy that Ray Serve writes has no switch for.

# Nobody asks these two, and Serve would open them on every interface, on ports of their own.
/^\(frontend prometheus\|listen stats\)$/{
n
d
}
/^frontend http_frontend$/{
n
# Serve takes one host for HAProxy and for the replicas behind it, and :: as IPv4 alone; see serving.py.
s|bind \(.*\):\([0-9]*\)$|bind "${FACEGRAPH_BIND-\1}:\2"|
# The ingress learns the caller's address; a request id that it could not use makes way for one of Serve's. A head and the
# beginning of a body have 8 s, and bodies their limit (transport.py: the 64 MiB of a message between replicas), before
# they take a place in the ingress, which refuses most of them far below, in each contract's form.
a\
    option forwardfor\
    http-request del-header x-request-id unless { req.hdr(x-request-id) -m reg ^[A-Za-z0-9_.-]{1,64}$ }\
    timeout http-request 8s\
    option http-ignore-probes\
    http-error status 408 content-type application/json string '{"error":{"code":"REQUEST_TIMEOUT","message":"The request did not arrive in time","details":{}},"request_id":null}'\
    http-error status 413 content-type application/json string '{"error":{"code":"BODY_TOO_LARGE","message":"The request body is larger than the limit of 67108864 bytes","details":{}},"request_id":null}'\
    http-request return status 405 content-type application/json string '{"error":{"code":"METHOD_NOT_ALLOWED","message":"Unknown method","details":{}},"request_id":null}' unless { method GET HEAD POST PUT PATCH DELETE OPTIONS }\
    http-request return status 400 content-type application/json string '{"error":{"code":"INVALID_REQUEST","message":"The path or a header contains characters that are not allowed","details":{}},"request_id":null}' if !{ path_beg / } or { req.hdrs -m reg '[\\x01-\\x08\\x0b\\x0c\\x0e-\\x1f\\x7f]' }\
    http-request del-header upgrade\
    http-request set-uri %[pathq] unless { url_beg / }\
    http-request deny deny_status 413 if { req.body_size gt 67108864 }\
    http-request wait-for-body time 8s
}
# No ingress, or one that breaks off, is a 503 that says when to come again, not a 500; before Serve has an ingress, too,
# instead of a 404.
s|^    errorfile \(50[234]\) .*|    http-error status \1 content-type application/json hdr Retry-After 1 string '{"error":{"code":"UNAVAILABLE","message":"The service did not answer; try again shortly","details":{}},"request_id":null}'|
/^backend default_backend$/{
n
s|.*|    http-request return status 503 default-errorfiles|
}
