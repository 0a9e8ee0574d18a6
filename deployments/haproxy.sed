# Changes to HAProxy's configuration that Ray Serve has no setting for.

# These two are not used, and Serve would open them on every interface, on separate ports.
/^\(frontend prometheus\|listen stats\)$/{
n
d
}
/^frontend http_frontend$/{
n
# Serve has one host for HAProxy and the replicas behind it, and treats :: as IPv4 only; see serving.py.
s|bind \(.*\):\([0-9]*\)$|bind "${FACEGRAPH_BIND-\1}:\2"|
# The ingress gets the caller's IP address. If the caller's request id is malformed, the ingress gets one from Serve.
# Before a request takes a slot in the ingress, its head and the first part of its body must arrive within 8 s each. Its
# body must also fit into a message between replicas (64 MiB, transport.py), unless it is an import, which is sent on in
# parts. A larger body gets an error in the format of the request's contract. The ingress has lower limits.
a\
    option forwardfor\
    http-request del-header x-request-id unless { req.hdr(x-request-id) -m reg ^[A-Za-z0-9_.-]{1,64}$ }\
    timeout http-request 8s\
    option http-ignore-probes\
    http-error status 408 content-type application/json string '{"error":{"code":"REQUEST_TIMEOUT","message":"The request did not arrive in time","details":{}},"request_id":null}'\
    http-error status 413 content-type application/json string '{"error":{"code":"BODY_TOO_LARGE","message":"The request body exceeds the limit of 67108864 bytes","details":{}},"request_id":null}'\
    http-request del-header upgrade\
    http-request deny deny_status 400 content-type application/json string '{"__type":"ImageTooLargeException","Code":"ImageTooLargeException","Message":"The request body exceeds the limit of 67108864 bytes","Logref":""}' if { req.body_size gt 67108864 } { method POST } { path / } { req.hdr(x-amz-target) -m found }\
    http-request deny deny_status 413 content-type application/json string '{"success":false,"error":"The request body exceeds the limit of 67108864 bytes"}' if { req.body_size gt 67108864 } { path_reg ^/match(/|$) }\
    http-request deny deny_status 413 content-type application/json string '{"detail":"The request body exceeds the limit of 67108864 bytes"}' if { req.body_size gt 67108864 } { path_reg ^/(compare|mediapipe|add_face|match_face|list_faces|delete_face|stats)(/|$) }\
    http-request deny deny_status 413 content-type application/json string '{"error":"The request body exceeds the limit of 67108864 bytes"}' if { req.body_size gt 67108864 } { path_reg ^/(detect-face|extract-embedding|compare-faces)(/|$) }\
    http-request deny deny_status 413 content-type application/json string '{"detail":{"code":"BODY_TOO_LARGE","message":"The request body exceeds the limit of 67108864 bytes"}}' if { req.body_size gt 67108864 } { path_reg ^/api(/|$) }\
    http-request deny deny_status 413 if { req.body_size gt 67108864 } !{ path_reg ^/v1/collections/[^/]+/import$ }\
    http-request wait-for-body time 8s
}
# Without an ingress, or if it disconnects, the response is a 503 with Retry-After. This also applies before Serve knows
# an ingress; without this change, the response would then be a 404.
s|^    errorfile \(50[234]\) .*|    http-error status \1 content-type application/json hdr Retry-After 1 string '{"error":{"code":"UNAVAILABLE","message":"The service is not responding; try again shortly","details":{}},"request_id":null}'|
/^backend default_backend$/{
n
s|.*|    http-request return status 503 default-errorfiles|
}
