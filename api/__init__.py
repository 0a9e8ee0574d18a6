"""HTTP: the routes, their schemas, errors and limits. Calls the flows in `graphs`."""
