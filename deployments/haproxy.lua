-- What HAProxy cannot read as HTTP it answers with a page of its own, which no setting changes. It is looked for here, in
-- the beginning of a connection, and answered in the envelope of all errors.

local function refuse(name, status, code, message)
    local body = '{"error":{"code":"' .. code .. '","message":"' .. message .. '","details":{}},"request_id":null}'
    local head = "HTTP/1.1 " .. status .. "\r\ncontent-type: application/json\r\ncontent-length: " .. #body
    core.register_service(name, "tcp", function(applet)
        applet:send(head .. "\r\nconnection: close\r\n\r\n" .. body)
    end)
end

refuse("unreadable", "400 Bad Request", "INVALID_REQUEST", "This is not a request in HTTP/1.1")
refuse("head_too_large", "431 Request Header Fields Too Large", "HEAD_TOO_LARGE",
    "The path and the headers have more than the 15360 bytes that are accepted")
refuse("late", "408 Request Timeout", "REQUEST_TIMEOUT", "The request did not arrive in time")

-- Whether what has come of a chunked body holds a chunk that is none.
local function has_broken_chunk(body)
    local at = 1
    while at <= #body do
        local size, start = body:match("^(%x+)%f[ \t;\r][^\r\n]*\r\n()", at)
        if not size then
            return body:find("\n", at, true) ~= nil
        elseif #size > 8 then
            return true
        elseif tonumber(size, 16) == 0 then
            return false
        end
        local stop = start + tonumber(size, 16)
        if stop < #body and body:sub(stop, stop + 1) ~= "\r\n" then
            return true
        end
        at = stop + 2
    end
    return false
end

-- Sets sess.head to "broken" where more bytes could not mend it, and to "whole" where there is all of it.
core.register_action("look", {"tcp-req"}, function(txn)
    local data = txn.req:data() or ""
    local first, line = data:match("^%s*(%S)"), data:match("^%s*([^\n]-)\r?\n")
    local head, body = data:match("^(.-\n)\r?\n(.*)$")
    local headers = head and head:lower() or ""
    local coding = headers:match("\ntransfer%-encoding:[ \t]*([^\r\n]*)")
    if first and first:find("[%c\127-\255]")
        or line and not line:find("^%S+ %S+ HTTP/[12]%.[01]$")
        or coding and coding ~= "chunked"
        or coding and has_broken_chunk(body)
        or headers:find("\nupgrade:[ \t]*websocket") then
        txn:set_var("sess.head", "broken")
    elseif head then
        txn:set_var("sess.head", "whole")
    end
end)
