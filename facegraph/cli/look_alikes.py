"""Subjects whose ids look alike, as the commands name them."""

from facegraph.cli.terminal import say, shown


def say_look_alike(first: str, other: str) -> None:
    """Say that two ids are different, with the characters that a reader cannot tell apart spelt out."""
    names = " and ".join(f"{shown(each)} ({shown(ascii(each))})" for each in (first, other))
    say(f"[yellow]look alike[/] {names} are two subjects")
