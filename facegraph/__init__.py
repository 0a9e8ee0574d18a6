"""The product as a Python package: `facegraph.client` for its users, `facegraph.cli` for its operators."""
