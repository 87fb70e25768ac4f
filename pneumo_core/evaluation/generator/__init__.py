"""Measures of generated images: fidelity, diversity and memorization."""
