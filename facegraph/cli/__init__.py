"""The command `facegraph`: `program` has the table of its commands, every other file one of them or a few."""

from facegraph.cli.program import main as main
