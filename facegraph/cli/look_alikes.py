"""Reporting subjects whose ids look alike."""

from facegraph.cli.terminal import say, shown


def say_look_alike(first: str, other: str) -> None:
    """Say that two ids that look alike are different, and spell out their characters."""
    names = " and ".join(f"{shown(each)} ({shown(ascii(each))})" for each in (first, other))
    say(f"[yellow]look alike[/] {names} are two subjects")
