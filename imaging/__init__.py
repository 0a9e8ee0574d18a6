"""Pixels: the decode gate, quality, alignment and crops. Imports nothing of the other rooms."""
