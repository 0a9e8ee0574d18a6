"""The HTTP contracts of the five services that this one replaces, one file each, and `rekognition`.

Each file has a `router`, `PATHS` (the first segments of the contract's paths) and `error_answer`, which converts an
error to the contract's format.
"""
