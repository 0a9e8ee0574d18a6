"""Where each stage runs: thin Ray Serve deployments, one per file, without mathematics."""
