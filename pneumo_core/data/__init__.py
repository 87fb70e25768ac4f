"""Data sets: fetching, indexing, splitting and decoding them, and the built-in phantoms."""
