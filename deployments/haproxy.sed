# A connection's first request is looked at before HAProxy reads it (haproxy.lua), since what it cannot read as HTTP gets a
# page of its own. The others come through to the frontend of Serve, which listens on a socket beside its configuration.
/^global$/a\
    lua-load-per-thread "${FACEGRAPH_HAPROXY_LUA}"
/^frontend http_frontend$/{
N
s|.*bind \(.*\)|frontend connections\
    mode tcp\
    bind \1\
    no log\
    option tcplog\
    timeout client 1h\
    tcp-request inspect-delay 8s\
    tcp-request content lua.look\
    tcp-request content set-var(sess.http) req.proto_http\
    tcp-request content use-service lua.unreadable if { var(sess.head) -m str broken }\
    tcp-request content accept if { var(sess.http) -m found }\
    tcp-request content use-service lua.unreadable if { var(sess.head) -m str whole }\
    tcp-request content use-service lua.head_too_large if { req.len ge 15360 }\
    tcp-request content reject if WAIT_END { req.len 0 }\
    tcp-request content use-service lua.late if WAIT_END\
    default_backend connections\
backend connections\
    mode tcp\
    timeout server 1h\
    server http "unix@${FACEGRAPH_HAPROXY_SOCKET}" send-proxy-v2\
frontend http_frontend\
    bind "unix@${FACEGRAPH_HAPROXY_SOCKET}" accept-proxy mode 600|
# The ingress learns who asks, an unfit request id makes way for one of Serve's own, and the beginning of a request's body has
# its time, before they take a place. What an ingress's HTTP server would refuse in plain text is refused in JSON. No body
# passes that two replicas could not exchange (transport.py: 64 MiB); the ingress, which knows each contract's form of
# errors, refuses most of them far below.
a\
    option forwardfor\
    http-request del-header x-request-id unless { req.hdr(x-request-id) -m reg ^[A-Za-z0-9_.-]{1,64}$ }\
    timeout http-request 8s\
    http-error status 408 content-type application/json string '{"error":{"code":"REQUEST_TIMEOUT","message":"The request did not arrive in time","details":{}},"request_id":null}'\
    http-error status 400 content-type application/json string '{"error":{"code":"INVALID_REQUEST","message":"This is not a request in HTTP/1.1","details":{}},"request_id":null}'\
    http-error status 413 content-type application/json string '{"error":{"code":"BODY_TOO_LARGE","message":"The request has more than the 67108864 bytes that are accepted","details":{}},"request_id":null}'\
    http-request return status 405 content-type application/json string '{"error":{"code":"METHOD_NOT_ALLOWED","message":"There is no such method","details":{}},"request_id":null}' unless { method GET HEAD POST PUT PATCH DELETE OPTIONS }\
    http-request return status 400 content-type application/json string '{"error":{"code":"INVALID_REQUEST","message":"The path or a header has characters that none may have","details":{}},"request_id":null}' if !{ path_beg / } or { req.hdrs -m reg '[\\x01-\\x08\\x0b\\x0c\\x0e-\\x1f\\x7f]' }\
    http-request set-uri %[pathq] unless { url_beg / }\
    http-request deny deny_status 413 if { req.body_size gt 67108864 }\
    http-request wait-for-body time 8s
}
# Where an ingress breaks off or none is up, clients are told that it passes, in place of a bare 500.
s|^    errorfile \(50[234]\) .*|    http-error status \1 content-type application/json hdr Retry-After 1 string '{"error":{"code":"UNAVAILABLE","message":"The service did not answer; try again shortly","details":{}},"request_id":null}'|
# While HAProxy knows no ingress yet, clients are asked to come again, instead of told that there is no such path.
/^backend default_backend$/{
n
s|.*|    http-request return status 503 content-type application/json hdr Retry-After 1 string '{"error":{"code":"UNAVAILABLE","message":"The service is starting; try again shortly","details":{}},"request_id":null}'|
}
