#!/bin/sh
# Stands for HAProxy's binary, which Ray Serve starts with a configuration it has just written: adds what Serve has no
# switch for (haproxy.sed), then becomes HAProxy (FACEGRAPH_HAPROXY).
set -eu
option=
for word in "$@"; do
    if [ "$option" = -f ] && ! grep -q '^    option forwardfor$' "$word"; then
        sed -f "${0%.sh}.sed" "$word" >"$word.more"
        # Without it callers could name any address as theirs.
        grep -q '^    option forwardfor$' "$word.more" || { echo "$0: $word has no http_frontend" >&2; exit 1; }
        mv "$word.more" "$word"
    fi
    option=$word
done
exec "$FACEGRAPH_HAPROXY" "$@"
