"""Galleries and collections on their way in and out: imports, exports and backups."""
