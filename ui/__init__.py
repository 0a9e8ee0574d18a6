"""The web UI at /ui, in static/."""
