"""The `facegraph` command line. `program` lists the commands; the other files contain one or a few each."""

from facegraph.cli.program import main as main
