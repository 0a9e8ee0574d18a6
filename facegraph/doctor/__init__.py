"""What is missing or odd on a machine, one check a function, and what to type."""
