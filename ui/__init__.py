"""The page at /ui, in static/."""
