#!/bin/sh
# Runs in place of HAProxy's binary, which Ray Serve starts with a configuration that it has just written: adds what Serve
# has no switch for (haproxy.sed), then becomes HAProxy (FACEGRAPH_HAPROXY), which ends when its parent does.
set -eu
option=
for word in "$@"; do
    if [ "$option" = -f ] && ! grep -q '^    option forwardfor$' "$word"; then
        sed -f "${0%.sh}.sed" "$word" >"$word.more"
        # Without it callers could claim any address.
        grep -q '^    option forwardfor$' "$word.more" || { echo "$0: $word has no http_frontend" >&2; exit 1; }
        mv "$word.more" "$word"
    fi
    option=$word
done
if command -v setpriv >/dev/null; then
    exec setpriv --pdeathsig KILL "$FACEGRAPH_HAPROXY" "$@"
fi
exec "$FACEGRAPH_HAPROXY" "$@"
