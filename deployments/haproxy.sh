#!/bin/sh
# Ray Serve starts this as HAProxy, with a configuration that it has just written. It changes the configuration
# (haproxy.sed), then becomes the real HAProxy (FACEGRAPH_HAPROXY), which ends with its parent process.
set -eu
option=
for word in "$@"; do
    if [ "$option" = -f ] && ! grep -q '^    option forwardfor$' "$word"; then
        sed -f "${0%.sh}.sed" "$word" >"$word.more"
        # Without it, callers could claim any IP address.
        grep -q '^    option forwardfor$' "$word.more" || { echo "$0: $word has no http_frontend" >&2; exit 1; }
        mv "$word.more" "$word"
    fi
    option=$word
done
if command -v setpriv >/dev/null; then
    # A parent that has ended before this would send no signal, and an orphan would keep the port.
    exec setpriv --pdeathsig KILL sh -c '[ "$PPID" = "$0" ] && exec "$@"' "$PPID" "$FACEGRAPH_HAPROXY" "$@"
fi
exec "$FACEGRAPH_HAPROXY" "$@"
