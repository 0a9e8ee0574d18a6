# The ingress learns who asks, a request's head has its time, and an unfit request id makes way for one of Serve's own.
/^frontend http_frontend$/a\
    option forwardfor\
    http-request del-header x-request-id unless { req.hdr(x-request-id) -m reg ^[A-Za-z0-9_.-]{1,64}$ }\
    timeout http-request 10s
# While HAProxy knows no ingress yet, clients are asked to come again, instead of told that there is no such path.
/^backend default_backend$/{
n
s|.*|    http-request return status 503 content-type application/json hdr Retry-After 1 string '{"error":{"code":"UNAVAILABLE","message":"The service is starting; try again shortly","details":{}},"request_id":null}'|
}
