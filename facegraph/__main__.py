"""`python -m facegraph` is `facegraph`."""

from facegraph.cli import main

main()
