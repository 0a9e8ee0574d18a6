"""Where each stage runs: one thin Ray Serve deployment a file, no mathematics."""
