"""The writer: it makes all changes, and maintains the files."""
