"""Load on the service, and how its speed compares with the bare networks."""
