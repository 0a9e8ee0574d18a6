# The ingress learns who asks, and a request's head has its time.
/^frontend http_frontend$/a\
    option forwardfor\
    timeout http-request 10s
# While HAProxy knows no ingress yet, clients are asked to come again, instead of told that there is no such path.
/^backend default_backend$/{
n
s|.*|    http-request return status 503 content-type application/json hdr Retry-After 1 string '{"error":{"code":"UNAVAILABLE","message":"The service is starting; try again shortly","details":{}},"request_id":null}'|
}
