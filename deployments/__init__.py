"""Where each stage runs: thin Ray Serve deployments, their scaling, and the start of Ray."""
