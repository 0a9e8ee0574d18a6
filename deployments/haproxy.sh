#!/bin/sh
# Stands for HAProxy's binary, which Ray Serve starts with a configuration it has just written: adds what Serve has no
# switch for (haproxy.sed and haproxy.lua), then becomes HAProxy (FACEGRAPH_HAPROXY).
set -eu
export FACEGRAPH_HAPROXY_LUA="${0%.sh}.lua" FACEGRAPH_HAPROXY_SOCKET=
option=
for word in "$@"; do
    if [ "$option" = -f ]; then
        FACEGRAPH_HAPROXY_SOCKET=$(dirname "$word")/http.sock
        if ! grep -q '^    option forwardfor$' "$word"; then
            sed -f "${0%.sh}.sed" "$word" >"$word.more"
            # Without it callers could name any address as theirs.
            grep -q '^    option forwardfor$' "$word.more" || { echo "$0: $word has no http_frontend" >&2; exit 1; }
            mv "$word.more" "$word"
        fi
    fi
    option=$word
done
exec "$FACEGRAPH_HAPROXY" "$@"
