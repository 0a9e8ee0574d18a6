"""A reader: it follows the newest version of the gallery, searches it and lists it."""
