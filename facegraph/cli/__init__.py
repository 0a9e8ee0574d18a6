"""The command line `facegraph`. `program` has the table of commands; the other files hold one or a few each."""

from facegraph.cli.program import main as main
