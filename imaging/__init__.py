"""Pixels: decoding untrusted files, quality, alignment and crops. Imports no other package."""
