"""How well networks tell people, and live faces from spoofs: metrics, plots and reports on labelled photos."""
