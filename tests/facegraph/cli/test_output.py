"""How tables are printed."""

import io

import pytest
from rich.console import Console

from facegraph.cli import output

LONG = "a-collection-with-a-long-name"


@pytest.mark.parametrize(("terminal", "lines"), [(True, 3), (False, 2)])
def test_only_a_terminal_wraps_a_table_and_never_the_first_column(
    monkeypatch: pytest.MonkeyPatch, terminal: bool, lines: int
) -> None:
    shown = io.StringIO()
    monkeypatch.setattr(output, "stdout", Console(file=shown, force_terminal=terminal, color_system=None, width=45))
    table = output.make_table("name", "title")
    table.add_row(LONG, "two words that wrap")
    output.print_table(table)
    assert len(shown.getvalue().splitlines()) == lines
    assert LONG in shown.getvalue()
